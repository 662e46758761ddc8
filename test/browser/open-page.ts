import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { PROFILERS } from '../../bt/profilers/profiler-registry.ts';
import type { FlameStack } from '../../cli/formats/flamegraph/flame-stack.ts';
import { flamegraphView } from '../../cli/formats/flamegraph/html.ts';
import { coloursOf, eventWordsOf } from '../../cli/formats/flamegraph/kind-looks.ts';

export interface FrameBox {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly depth: number;
  readonly timeNs: number;
}

export interface OpenPage {
  readonly page: Page;
  /** Things that must not happen: errors, console messages, dialogs, and requests for anything but the page. */
  readonly complaints: string[];
  readonly frames: () => Promise<FrameBox[]>;
  /** The first frame with this name. */
  readonly frame: (name: string) => Promise<FrameBox>;
  /** Clicks the middle of this frame. */
  readonly click: (name: string) => Promise<void>;
  readonly text: (id: string) => Promise<string>;
  readonly close: () => Promise<void>;
}

/** Writes the page to a file and opens the file. */
export async function openPage(
  browser: Browser,
  stacks: readonly FlameStack[],
  options: BrowserContextOptions & { readonly title?: string } = {},
): Promise<OpenPage> {
  const { title = 'btprof: orders', ...context } = options;
  const dir = mkdtempSync(join(tmpdir(), 'btprof-page-'));
  const file = join(dir, 'page.html');
  const look = {
    title,
    subtitle: '30.0 s',
    notes: ['A note.'],
    colours: coloursOf(PROFILERS),
    events: eventWordsOf(PROFILERS),
  };
  writeFileSync(file, flamegraphView(stacks, look));
  const url = pathToFileURL(file).href;
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, ...context });
  const complaints = watch(page, url);
  await page.goto(url);
  if (context.javaScriptEnabled !== false && stacks.length > 0) await page.locator('#app').waitFor();
  const frames = () => page.evaluate<FrameBox[]>('window.flameGraph.frames()');
  const frame = async (name: string) => {
    const found = (await frames()).find((box) => box.name === name);
    if (!found) throw new Error(`no frame ${name}`);
    return found;
  };
  return {
    ...{ page, complaints, frames, frame },
    click: async (name) => {
      const { x, y, width } = await frame(name);
      await page.mouse.click(x + width / 2, y + 8);
    },
    text: async (id) => (await page.locator(`#${id}`).textContent()) ?? '',
    close: async () => {
      await page.context().close();
      rmSync(dir, { recursive: true });
    },
  };
}

function watch(page: Page, url: string): string[] {
  const complaints: string[] = [];
  page.on('console', (message) => complaints.push(`console: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
  page.on('request', (request) => {
    if (request.url() !== url) complaints.push(`request: ${request.url()}`);
  });
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return complaints;
}
