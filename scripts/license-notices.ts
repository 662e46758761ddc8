import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The licenses of the packages in a bundle, which ask that their text goes with every copy.
 *
 * @param files those in the bundle, as esbuild names them
 * @throws Error for a package without a license
 */
export function licenseNotices(files: readonly string[]): string {
  const folders = new Set(files.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? []));
  const notices = [...folders].sort().map(noticeOf);
  return `dist/btprof.mjs contains code of these packages.\n\n${notices.join('\n')}`;
}

function noticeOf(folder: string): string {
  const { name, version, license, author } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder).find((one) => /^(un)?licen[cs]e(\.\w+)?$/i.test(one));
  if (!license && !file) throw new Error(`${folder} has no license`);
  const text = file ? readFileSync(join(folder, file), 'utf8').trim() : `Author: ${author?.name ?? author}`;
  return `${'-'.repeat(80)}\n${name} ${version} (${license})\n\n${text}\n`;
}
