/** The system's Chromium, for tests, measurements and pictures of HTML pages. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];

/** @throws Error when there is none in PATH */
export function launchChromium(): Promise<Browser> {
  const executablePath = findChromium();
  // Its sandbox does not run as root, as which the tests do.
  return chromium.launch({ executablePath, args: ['--no-sandbox'] });
}

function findChromium(): string {
  const directories = (process.env.PATH ?? '').split(delimiter);
  const paths = NAMES.flatMap((name) => directories.map((directory) => join(directory, name)));
  const found = paths.find(isExecutable);
  if (!found) throw new Error('no Chromium in PATH. Type: apt-get install chromium');
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
