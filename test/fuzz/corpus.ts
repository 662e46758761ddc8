import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Inputs that once made a reader fail, one directory for each target. */
const CORPUS = 'fixtures/fuzz';

export function corpusOf(target: string): { readonly name: string; readonly input: Buffer }[] {
  const directory = join(CORPUS, target);
  if (!existsSync(directory)) return [];
  return readdirSync(directory).map((name) => ({ name, input: readFileSync(join(directory, name)) }));
}

/** @returns the path of the input */
export function keepInput(target: string, input: Uint8Array): string {
  const directory = join(CORPUS, target);
  mkdirSync(directory, { recursive: true });
  const path = join(directory, createHash('sha256').update(input).digest('hex').slice(0, 16));
  writeFileSync(path, input);
  return path;
}
