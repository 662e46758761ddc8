import type { Browser, BrowserContextOptions } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { FlameStack } from '../../cli/formats/flamegraph/flame-stack.ts';
import { manyStacks } from '../../scripts/bench/flame-stacks.ts';
import { launchChromium } from '../../scripts/chromium.ts';
import { exampleStacks } from '../../scripts/example-stacks.ts';
import { frameOf, stackOf } from '../unit/cli/formats/flame-frames.ts';
import { type OpenPage, openPage } from './open-page.ts';

let browser: Browser;
let opened: OpenPage | undefined;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());
afterEach(async () => {
  const { complaints, close } = opened ?? {};
  opened = undefined;
  await close?.();
  expect(complaints ?? []).toEqual([]);
});

async function open(
  stacks: readonly FlameStack[],
  options?: BrowserContextOptions & { title?: string },
): Promise<OpenPage> {
  opened = await openPage(browser, stacks, options);
  return opened;
}

const STACKS = [
  stackOf('main read vfs_read_k', 300e6, { kind: 'disk', count: 3 }),
  stackOf('main take futex_k', 500e6, { tid: 2, comm: 'helper' }),
  stackOf('main take take', 150e6),
  stackOf('main', 50e6, { kind: 'poll', idle: true, open: true, count: 0 }),
];

describe('the graph', () => {
  it('has a root frame, and divides its width by time', async () => {
    const { frames } = await open(STACKS);
    const [all, ...rest] = await frames();
    expect(all).toMatchObject({ name: 'all', depth: 0, timeNs: 1e9 });
    const share = (name: string) =>
      (rest.find((frame) => frame.name === name)?.width ?? 0) / (all?.width ?? 1);
    expect(share('read')).toBeCloseTo(0.3, 9);
    expect(share('take')).toBeCloseTo(0.65, 9);
  });

  it('zooms in by a click on a frame, and out by a click on its caller or on Reset zoom', async () => {
    const { frame, click, page } = await open(STACKS);
    const whole = (await frame('all')).width;
    await click('read');
    expect((await frame('read')).width).toBe(whole);
    expect((await frame('vfs_read_k')).width).toBe(whole);
    await click('main');
    expect((await frame('read')).width).toBeCloseTo(whole * 0.3, 6);
    await click('read');
    await page.getByRole('button', { name: 'Reset zoom' }).click();
    expect((await frame('read')).width).toBeCloseTo(whole * 0.3, 6);
    expect(await page.evaluate(`performance.getEntriesByName('zoom').length`)).toBe(4);
  });

  it('describes the frame under the pointer, including open waits', async () => {
    const { frame, page, text } = await open(STACKS);
    const main = await frame('main');
    await page.mouse.move(main.x + main.width - 5, main.y + 8);
    expect(await text('tooltip')).toBe(
      'mainuser function · /usr/bin/workertime1.00 s, 100.0 % of allself50.0 mscount5 waits' +
        'not ended1 wait, 50.0 msforlock 65.0 %, disk 30.0 %, poll 5.0 %',
    );
    const kernel = await frame('futex_k');
    await page.mouse.move(kernel.x + 5, kernel.y + 8);
    expect(await text('tooltip')).toContain('kernel function · [kernel]');
  });

  it('turns into an icicle and back', async () => {
    const { frame, page } = await open(STACKS);
    const above = async () => (await frame('main')).y < (await frame('all')).y;
    expect(await above()).toBe(true);
    await page.getByRole('button', { name: 'Icicle' }).click();
    expect(await above()).toBe(false);
    await page.keyboard.press('i');
    expect(await above()).toBe(true);
  });

  it('scrolls if stacks are deep', async () => {
    const names = Array.from({ length: 500 }, (_, i) => `f${i}`).join(' ');
    const { click, frame, page } = await open([stackOf(names, 1e9)]);
    expect((await frame('f499')).y).toBeLessThan(0);
    await page.evaluate(`document.getElementById('graph').scrollTop = 0`);
    await page.waitForTimeout(50);
    await click('f499');
    expect(await page.locator('#selected').textContent()).toContain('f499');
  });
});

describe('the search', () => {
  it('shows the matched share and counts nested matches once', async () => {
    const { page, text } = await open(STACKS);
    await page.keyboard.press('/');
    await page.keyboard.type('^take$');
    expect(await text('matched')).toBe('matched: 65.0 % (650.0 ms)');
    await page.keyboard.press('Escape');
    expect(await text('matched')).toBe('');
    expect(await page.getByRole('searchbox').inputValue()).toBe('');
  });

  it('also shows the share of the zoomed frame, and searches literally for an invalid expression', async () => {
    const { page, text, click } = await open(STACKS);
    await click('read');
    await page.getByRole('searchbox').fill('vfs_read_k(');
    expect(await text('matched')).toContain(
      'matched: 0.0 % (0 ns), 0.0 % of the zoomed frame; not a regular expression',
    );
    await page.getByRole('searchbox').fill('VFS_');
    expect(await text('matched')).toBe('matched: 30.0 % (300.0 ms), 100.0 % of the zoomed frame');
  });

  it('is filled by a click in the function table', async () => {
    const { page, text } = await open(STACKS);
    await page.getByRole('button', { name: 'vfs_read_k' }).click();
    expect(await text('matched')).toBe('matched: 30.0 % (300.0 ms)');
  });
});

describe('the function table', () => {
  const names = (page: OpenPage['page']) => page.locator('#functions button').allTextContents();

  it('sorts by total, self and name, and covers the zoomed frame', async () => {
    const { page, click } = await open(STACKS);
    await page.waitForSelector('#functions button');
    expect((await names(page)).slice(0, 3)).toEqual(['main', 'take', 'futex_k']);
    await page.getByRole('button', { name: 'Self' }).click();
    expect((await names(page)).slice(0, 3)).toEqual(['futex_k', 'vfs_read_k', 'take']);
    await page.getByRole('button', { name: 'Function' }).click();
    expect((await names(page))[0]).toBe('futex_k');
    await click('read');
    await expect.poll(() => names(page)).toEqual(['read', 'vfs_read_k']);
  });
});

describe('the controls', () => {
  const roots = async ({ frames }: OpenPage) =>
    (await frames()).filter(({ depth }) => depth === 1).map(({ name }) => name);

  it('group stacks by thread, process and reason', async () => {
    const graph = await open(STACKS);
    const group = graph.page.getByLabel('Group by');
    await group.selectOption('thread');
    expect(await roots(graph)).toEqual(['helper:2', 'worker:1']);
    await group.selectOption('process');
    expect(await roots(graph)).toEqual(['worker, pid 1']);
    await group.selectOption('kind');
    expect(await roots(graph)).toEqual(['lock', 'disk', 'poll']);
  });

  it('hide kernel frames, user frames and idle waits, and show how much time is hidden', async () => {
    const { page, frames, text } = await open(STACKS);
    const shown = async () => (await frames()).map(({ name }) => name);
    await page.getByLabel('kernel frames').uncheck();
    expect(await shown()).not.toContain('futex_k');
    await page.getByLabel('user frames').uncheck();
    expect(await shown()).toEqual(['all']);
    expect(await text('hidden')).toBe('Shown: all 1.00 s');
    await page.getByLabel('idle waits').uncheck();
    expect(await text('hidden')).toBe('Shown: 950.0 ms of 1.00 s; hidden: idle waits 50.0 ms (5.0 %)');
  });

  it('in the legend hide reasons', async () => {
    const { page, frames, text } = await open(STACKS);
    const disk = page.getByRole('button', { name: /^disk/ });
    expect(await disk.textContent()).toBe('disk30.0 %');
    await disk.click();
    expect(await disk.getAttribute('aria-pressed')).toBe('false');
    expect((await frames())[0]?.timeNs).toBe(700e6);
    expect(await text('hidden')).toBe('Shown: 700.0 ms of 1.00 s; hidden: disk 300.0 ms (30.0 %)');
    await disk.click();
    expect((await frames())[0]?.timeNs).toBe(1e9);
  });

  it('keep the zoom if its frame is still visible', async () => {
    const { page, click, frame } = await open(STACKS);
    await click('take');
    await page.getByLabel('kernel frames').uncheck();
    expect((await frame('take')).width).toBe((await frame('all')).width);
  });
});

describe('keys', () => {
  it('move between frames, zoom and reset, and announce the frame to screen readers', async () => {
    const { page, text, frame } = await open(STACKS);
    await page.locator('#graph').focus();
    for (const key of ['ArrowUp', 'ArrowUp', 'ArrowRight']) await page.keyboard.press(key);
    expect(await text('selected')).toContain('read; user function');
    expect(await page.locator('#selected').getAttribute('aria-live')).toBe('polite');
    await page.keyboard.press('Enter');
    const whole = (await frame('all')).width;
    expect((await frame('read')).width).toBe(whole);
    await page.keyboard.press('ArrowDown');
    expect(await text('selected')).toContain('main; user function');
    await page.keyboard.press('Escape');
    expect((await frame('read')).width).toBeLessThan(whole);
  });

  it('move down to callees in an icicle', async () => {
    const { page, text } = await open(STACKS);
    await page.keyboard.press('i');
    await page.locator('#graph').focus();
    await page.keyboard.press('ArrowDown');
    expect(await text('selected')).toContain('main; user function');
  });

  it('are listed by ?', async () => {
    const { page } = await open(STACKS);
    await page.keyboard.press('?');
    expect(await page.getByRole('dialog').isVisible()).toBe(true);
    await page.keyboard.press('Escape');
    expect(await page.getByRole('dialog').isVisible()).toBe(false);
  });
});

describe('the page', () => {
  it.each(['light', 'dark'] as const)(
    'follows the %s scheme of the system until the user switches it',
    async (scheme) => {
      const { page } = await open(STACKS, { colorScheme: scheme });
      const back = () => page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
      const dark = 'rgb(23, 23, 27)';
      expect((await back()) === dark).toBe(scheme === 'dark');
      await page.getByRole('button', { name: scheme === 'dark' ? 'Light' : 'Dark' }).click();
      expect((await back()) === dark).toBe(scheme !== 'dark');
    },
  );

  it('shows a list of stacks without JavaScript', async () => {
    const { page } = await open(exampleStacks(), { javaScriptEnabled: false });
    expect(await page.locator('#list').isVisible()).toBe(true);
    expect(await page.locator('#app').isVisible()).toBe(false);
    expect(await page.locator('#list li').count()).toBe(32);
    expect(await page.locator('#list li').first().textContent()).toContain('poll, main:2711, idle');
  });

  it('reports that nothing waited', async () => {
    const { page } = await open([]);
    expect(await page.locator('body').textContent()).toContain('There is no stack to draw');
  });

  it('shows the earlier figures in a comparison', async () => {
    const { page, frame, text } = await open([
      stackOf('main grew', 600e6, { beforeNs: 200e6 }),
      stackOf('main gone', 0, { beforeNs: 200e6 }),
    ]);
    const grew = await frame('grew');
    await page.mouse.move(grew.x + 9, grew.y + 9);
    expect(await text('tooltip')).toContain('before200.0 msafter600.0 mschange+400.0 ms (+66.7 % of all)');
    await page.getByLabel('Width').selectOption('before');
    expect((await frame('gone')).timeNs).toBe(200e6);
  });

  it('prints the graph with the legend but without controls', async () => {
    const { page } = await open(exampleStacks(), { colorScheme: 'dark' });
    await page.emulateMedia({ media: 'print' });
    expect(await page.locator('#legend').isVisible()).toBe(true);
    expect(await page.locator('#search').isVisible()).toBe(false);
    expect((await page.pdf()).length).toBeGreaterThan(20_000);
    expect(await page.evaluate('document.documentElement.dataset.theme')).toBe('dark');
  });

  it('fits a narrow window', async () => {
    const { page } = await open(exampleStacks(), { viewport: { width: 400, height: 700 } });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(400);
  });

  it('does not execute code in names', async () => {
    const names = [
      '</script><img src=x onerror=alert(1)>',
      '"\'><svg onload=alert(2)>\n<!--',
      '\u202e\u2066\0\ud800\u2028',
      'x'.repeat(10_000),
      '漢字'.repeat(200),
      'javascript:alert(3)',
      '__proto__',
    ];
    const stacks = names.map((name, i) => ({
      ...stackOf('', 1e9 + i, { comm: name, tid: i }),
      frames: [frameOf('main'), frameOf(name, { module: name, file: name })],
    }));
    const { page, frames, text } = await open(stacks, { title: names[0] as string });
    for (const { x, y } of await frames()) await page.mouse.click(x + 2, y + 8);
    expect(await text('selected')).not.toBe('');
    await page.getByLabel('Group by').selectOption('thread');
    await page.getByRole('searchbox').fill('<img');
    expect(await text('matched')).toContain('matched: 14.3 %');
    expect(await page.locator('img, svg').count()).toBe(0);
  });

  it('draws 10,000 stacks', async () => {
    const { page, frames, click } = await open(manyStacks(10_000));
    const total = manyStacks(10_000).reduce((sum, { timeNs }) => sum + timeNs, 0);
    expect((await frames())[0]?.timeNs).toBe(total);
    const first = (await frames()).find(({ depth }) => depth === 2)?.name ?? '';
    await click(first);
    await click('all');
    const measures = await page.evaluate<[string, number][]>(
      `performance.getEntriesByType('measure').map(({ name, duration }) => [name, Math.round(duration)])`,
    );
    console.log(`10,000 stacks: ${measures.map(([name, ms]) => `${name} ${ms} ms`).join(', ')}`);
    expect(measures.map(([name]) => name)).toEqual(['first-paint', 'zoom', 'zoom']);
  });
});
