/** `node naming-reader.mjs`: names addresses in files. Reads a request from stdin and prints the answer. */
import { readFileSync, statSync } from 'node:fs';
import { fileKeyOf, newObjectFiles } from '../../bt/symbols/object-files.ts';
import { newResolver } from '../../bt/symbols/resolver.ts';
import { newSymbolCache } from '../../bt/symbols/symbol-cache.ts';
import { type FileAddress, fileAddressKey } from '../../metrics/symbols.ts';
import type { Mapping } from '../../parsers/proc.ts';

export interface Question {
  /** File offsets by file. */
  readonly files: Readonly<Record<string, readonly number[]>>;
  /** Directory of the symbol cache; undefined to use none. */
  readonly cache?: string;
  /** How often everything is named. */
  readonly rounds: number;
}

export interface Answer {
  /** Time of the first and of the last round in ms, and memory used by all rounds. */
  readonly first: number;
  readonly last: number;
  readonly bytes: number;
  /** Names by file, in the order of the offsets. */
  readonly names: Readonly<Record<string, readonly (string | null)[]>>;
}

const { files: asked, cache, rounds } = JSON.parse(readFileSync(0, 'utf8')) as Question;
const before = process.memoryUsage().rss;
const files = newObjectFiles();
const noPerfMaps = { find: () => undefined, problems: () => [] };
const symbolCache = cache === undefined ? undefined : newSymbolCache(cache);
const { resolve } = newResolver(files, noPerfMaps, symbolCache, undefined);
/** As a result asks: all places of all objects at once. */
function placesIn(path: string, offsets: readonly number[]): { path: string; place: FileAddress }[] {
  const file = files.see(fileKeyOf(statSync(path, { bigint: true })), { pid: process.pid, path });
  const mapping: Mapping = { start: 0n, end: 2n ** 47n, fileOffset: 0n, file, path };
  return offsets.map((fileOffset) => ({ path, place: { mapping, fileOffset } }));
}

const times: number[] = [];
const names: Record<string, (string | null)[]> = {};
for (let round = 0; round < rounds; round++) {
  const started = performance.now();
  const places = Object.entries(asked).flatMap(([path, offsets]) => placesIn(path, offsets));
  const user = places.map(({ place }) => place);
  const found = await resolve({ kernel: [], user, leaves: [], compiled: [], lines: false });
  times.push(performance.now() - started);
  for (const path of Object.keys(asked)) names[path] = [];
  for (const { path, place } of places) names[path]?.push(found.user[fileAddressKey(place)]?.symbol ?? null);
}
const bytes = process.memoryUsage().rss - before;
const answer: Answer = { first: times[0] ?? 0, last: times.at(-1) ?? 0, bytes, names };
process.stdout.write(JSON.stringify(answer));
