/** Starts the system's Chromium, for tests, benchmarks and screenshots of HTML pages. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { Refusal } from './refusal.ts';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];

/** @throws Refusal if PATH has no Chromium */
export function launchChromium(): Promise<Browser> {
  const executablePath = findChromium();
  // Tests run as root, but Chromium's sandbox does not.
  return chromium.launch({ executablePath, args: ['--no-sandbox'] });
}

function findChromium(): string {
  const directories = (process.env.PATH ?? '').split(delimiter);
  const paths = NAMES.flatMap((name) => directories.map((directory) => join(directory, name)));
  const found = paths.find(isExecutable);
  if (!found) throw new Refusal('PATH has no Chromium. Type: apt-get install chromium');
  return found;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
