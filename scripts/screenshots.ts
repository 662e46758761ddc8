/** `npx tsx scripts/screenshots.ts`: takes the screenshots in docs/flamegraph.md. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Page } from 'playwright-core';
import { PROFILERS } from '../bt/profilers/profiler-registry.ts';
import { coloursOf, eventWordsOf } from '../cli/formats/flamegraph/kind-looks.ts';
import { launchChromium } from './chromium.ts';
import { exampleStacks } from './example-stacks.ts';
import { loadFlamegraphView } from './flamegraph-client.ts';

const IMAGES = fileURLToPath(new URL('../docs/images/', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'btprof-screenshots-'));
const browser = await launchChromium();
try {
  const { flamegraphView } = await loadFlamegraphView();
  const write = (name: string, compares: boolean, title: string) => {
    const notes = compares ? [] : ['Times of 6 threads are added up.'];
    const subtitle = '30.0 s, 1 process, 6 threads';
    const options = {
      title,
      subtitle,
      notes,
      colours: coloursOf(PROFILERS),
      events: eventWordsOf(PROFILERS),
    };
    writeFileSync(join(dir, name), flamegraphView(exampleStacks(compares), options));
  };
  write('graph.html', false, 'Time of orders --port 8080');
  write('change.html', true, 'Change of orders --port 8080');
  await shoot('graph.html', 'light', 'flamegraph-light.png', async (page) => {
    await page.getByLabel('idle waits').uncheck();
    await hover(page, 'Inventory::reserve');
  });
  await shoot('change.html', 'dark', 'flamegraph-change-dark.png', async (page) => {
    await page.getByRole('button', { name: 'Icicle' }).click();
    await page.getByLabel('idle waits').uncheck();
    await hover(page, 'Inventory::reserve');
  });
} finally {
  await browser.close();
  rmSync(dir, { recursive: true });
}

async function shoot(
  name: string,
  colorScheme: 'light' | 'dark',
  image: string,
  prepare: (page: Page) => Promise<void>,
): Promise<void> {
  const page = await browser.newPage({ viewport: { width: 1000, height: 600 }, colorScheme });
  await page.goto(pathToFileURL(join(dir, name)).href);
  await page.locator('#app').waitFor();
  await prepare(page);
  // The page draws the table after the graph.
  await page.waitForTimeout(300);
  await page.screenshot({ path: join(IMAGES, image) });
  await page.context().close();
}

async function hover(page: Page, name: string): Promise<void> {
  const { x, y } = await page.evaluate<{ x: number; y: number }>(
    `window.flameGraph.frames().find(({ name }) => name === ${JSON.stringify(name)})`,
  );
  await page.mouse.move(x + 20, y + 9);
}
