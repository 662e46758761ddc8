import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';

const APP = pathToFileURL(resolve('node_modules/speedscope/dist/release/index.html')).href;

/** The file as btprof writes it. */
export interface Sampled {
  readonly name: string;
  readonly endValue: number;
  readonly samples: readonly (readonly number[])[];
  readonly weights: readonly number[];
}

/** The file as speedscope writes it. */
export interface Evented {
  readonly name: string;
  readonly endValue: number;
  readonly events: readonly { readonly type: 'O' | 'C'; readonly at: number; readonly frame: number }[];
}

export interface SpeedscopeFile<T> {
  readonly shared: { readonly frames: readonly { readonly name: string }[] };
  readonly profiles: readonly T[];
}

export interface OpenFile {
  readonly page: Page;
  /** Errors, and messages that speedscope shows to its user. */
  readonly complaints: readonly string[];
  /** The file as speedscope exports it again, which shows how it understood the file. */
  readonly exported: () => Promise<SpeedscopeFile<Evented>>;
  readonly close: () => Promise<void>;
}

/**
 * Opens a file in speedscope with the script that its own command line tool writes for this purpose.
 *
 * @throws Error if speedscope does not show it within 30 s
 */
export async function openInSpeedscope(
  browser: Browser,
  file: string,
  view: 'sandwich' | 'time-ordered',
): Promise<OpenFile> {
  const dir = mkdtempSync(join(tmpdir(), 'btprof-speedscope-'));
  const script = join(dir, 'load.js');
  const packed = Buffer.from(file).toString('base64');
  writeFileSync(script, `speedscope.loadFileFromBase64("${basename(dir)}.json", ${JSON.stringify(packed)})`);
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  const complaints = watch(page);
  await page.goto(`${APP}#view=${view}&localProfilePath=${script.slice(1)}`);
  await page.getByText('Export').waitFor({ timeout: 30_000 });
  const exported = async () => {
    const download = page.waitForEvent('download');
    await page.keyboard.press('Control+s');
    const path = join(dir, 'exported.json');
    await (await download).saveAs(path);
    return JSON.parse(readFileSync(path, 'utf8'));
  };
  const close = async () => {
    await page.close();
    rmSync(dir, { recursive: true });
  };
  return { page, complaints, exported, close };
}

function watch(page: Page): string[] {
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`console: ${message.text()}`);
  });
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return complaints;
}
