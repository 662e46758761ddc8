import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { newSymbolCache, symbolCacheDirectory } from '../../../../bt/symbols/symbol-cache.ts';
import { packSymbols } from '../../../../parsers/packed-symbols.ts';
import { addRow, newRows } from '../../../../parsers/symbol-ranges.ts';
import { newSymbolTable, type SymbolTable } from '../../../../parsers/symbol-table.ts';
import { attempts, cases } from '../../../effort.ts';

const ROOT = process.geteuid?.() === 0;
const OTHER_USER = 12_345;
const KEY = '0123abcd-89ef';
const MIB = 2 ** 20;
/** Size limits of the whole cache, and of one file. */
const [MOST, LARGEST] = [256 * MIB, 64 * MIB];
/** The smallest number of ranges that is cached. */
const FEW = 1000;

afterEach(() => vi.unstubAllEnvs());

/** Functions of 16 bytes whose names share a prefix. */
function tableOf(prefix: string, count = FEW, problems: string[] = []): SymbolTable {
  const rows = newRows(count);
  for (let i = 0; i < count; i++)
    addRow(rows, { start: 16 * i, end: 16 * i + 16, sized: true, merit: 0, position: i });
  return newSymbolTable(rows, () => ({ nameAt: (i) => `${prefix}${i}`, bytes: 0 }), problems);
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'btprof-cache-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A cache with one table. */
function filled(directory = join(temporaryFolder(), 'symbols')) {
  const cache = newSymbolCache(directory);
  cache.put(KEY, [tableOf('kept')]);
  return { cache, directory, file: join(directory, KEY), name: () => cache.get(KEY)?.[0]?.find(48)?.name };
}

/** Creates a sparse file that was last used this many seconds ago. */
function aged(path: string, size: number, secondsAgo: number): void {
  writeFileSync(path, '');
  truncateSync(path, size);
  const then = Date.now() / 1000 - secondsAgo;
  utimesSync(path, then, then);
}

/** Replaces a file by a symbolic link to it. */
function linked(path: string): void {
  renameSync(path, `${path}.moved`);
  symlinkSync(`${path}.moved`, path);
}

describe('stored tables', () => {
  test('are returned for their key, in their order', () => {
    const { cache } = filled();
    cache.put('other', [tableOf('first', 400), tableOf('second', 600)]);
    expect(cache.get('other')?.map((table) => table.find(48)?.name)).toEqual(['first3', 'second3']);
    expect(cache.get(KEY)?.map((table) => table.size)).toEqual([FEW]);
    expect(cache.get('none')).toBeUndefined();
  });

  test('are returned in another run', () => {
    const { directory } = filled();
    expect(
      newSymbolCache(directory)
        .get(KEY)?.[0]
        ?.find(16 * FEW - 1)?.name,
    ).toBe('kept999');
  });

  test('replace earlier ones', () => {
    const { cache, name } = filled();
    cache.put(KEY, [tableOf('newer')]);
    expect(name()).toBe('newer3');
  });

  test('are private to the user', () => {
    const { directory, file } = filled();
    expect([directory, file].map((path) => lstatSync(path).mode & 0o777)).toEqual([0o700, 0o600]);
    expect(readdirSync(directory)).toEqual([KEY]);
  });

  test.each([
    ['fewer ranges than 1000', [tableOf('few', FEW - 1)]],
    ['fewer ranges than 1000 together', [tableOf('a', 500), tableOf('b', 499)]],
    ['a part that could not be read', [tableOf('whole'), tableOf('half', 1, ['half of it is broken'])]],
    ['nothing', []],
    ...cases<[string, SymbolTable[]]>([], [['more than 64 MiB', [tableOf('x'.repeat(2 ** 16), 1030)]]]),
  ])('are not stored if they have %s', (_, tables) => {
    const { cache, directory } = filled();
    cache.put('another', tables);
    expect(readdirSync(directory)).toEqual([KEY]);
    expect(cache.get('another')).toBeUndefined();
  });
});

describe('a file', () => {
  test.each<[string, (file: string) => void]>([
    ['is writable for the group', (file) => chmodSync(file, 0o620)],
    ['is writable for others', (file) => chmodSync(file, 0o602)],
    ['is a symbolic link', linked],
    ['is a directory', (file) => rmSync(file) ?? mkdirSync(file, { mode: 0o700 })],
    [
      'is a FIFO, which must not block',
      (file) => rmSync(file) ?? execFileSync('mkfifo', ['-m', '600', file]),
    ],
    ['is empty', (file) => truncateSync(file)],
    ['ends early', (file) => truncateSync(file, lstatSync(file).size - 1)],
    ['has another format', (file) => writeFileSync(file, readFileSync(file).fill('?', 0, 16))],
  ])('is not read if it %s', (_, change) => {
    const { file, name } = filled();
    expect(name()).toBe('kept3');
    change(file);
    expect(name()).toBeUndefined();
  });

  test.skipIf(!ROOT)('is not read if it belongs to another user', () => {
    const { file, name } = filled();
    chownSync(file, OTHER_USER, 0);
    expect(name()).toBeUndefined();
  });

  test.each(
    cases<[string, number, string | undefined]>(
      [],
      [
        ['of 64 MiB is read', 0, 'kept3'],
        ['larger than 64 MiB is not read, even if it is complete', 8, undefined],
      ],
    ),
  )('%s', (_, more, expected) => {
    const { file, name } = filled();
    const one = packSymbols([tableOf('kept')]);
    // The second part has no ranges and many bytes of names.
    const size = LARGEST + more;
    const part = Buffer.from(Uint32Array.of(1, 0, size - one.length - 16, 0).buffer);
    one.writeUInt32LE(2, 28);
    writeFileSync(file, Buffer.concat([one, part]));
    truncateSync(file, size);
    expect(name()).toBe(expected);
  });
});

describe('a directory', () => {
  const expectUnused = ({ cache, directory, name }: ReturnType<typeof filled>) => {
    expect(name()).toBeUndefined();
    cache.put('another', [tableOf('more')]);
    expect(readdirSync(directory)).toEqual([KEY]);
  };

  test.each([0o770, 0o707, 0o777, 0o1777])('with mode %o is not used', (mode) => {
    const kept = filled();
    chmodSync(kept.directory, mode);
    expectUnused(kept);
  });

  test('that is a symbolic link is not used', () => {
    const kept = filled();
    linked(kept.directory);
    expectUnused(kept);
  });

  test.skipIf(!ROOT)('that belongs to another user is not used', () => {
    const kept = filled();
    chownSync(kept.directory, OTHER_USER, 0);
    expectUnused(kept);
  });

  test('that others can only read is used', () => {
    const { directory, name } = filled();
    chmodSync(directory, 0o755);
    expect(name()).toBe('kept3');
  });
});

describe('no error is thrown', () => {
  test.each<[string, (folder: string) => string]>([
    ['a file has the name of the directory', (folder) => join(folder, 'file')],
    ['a file has the name of a parent directory', (folder) => join(folder, 'file', 'symbols')],
    ['no directory can be created there', () => '/sys/symbols'],
    ['its name is too long', (folder) => join(folder, 'x'.repeat(300))],
  ])('if %s', (_, place) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'file'), 'mine');
    const { name } = filled(place(folder));
    expect(name()).toBeUndefined();
    expect(readdirSync(folder)).toEqual(['file']);
    expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('mine');
  });

  test('if a file cannot be renamed, and no file is left behind', () => {
    const { cache, directory } = filled();
    mkdirSync(join(directory, 'another', 'folder'), { recursive: true });
    cache.put('another', [tableOf('more')]);
    expect(readdirSync(directory)).toEqual([KEY, 'another']);
  });
});

describe('of all cached files', () => {
  const names = (directory: string) => readdirSync(directory).sort();

  test('the least recently used are removed, down to 256 MiB', () => {
    const { cache, directory } = filled();
    for (let i = 1; i <= 6; i++) aged(join(directory, `0${i}-0`), 60 * MIB, 1000 * i);
    cache.put('ee-0', [tableOf('new')]);
    expect(names(directory)).toEqual([KEY, 'ee-0', '01-0', '02-0', '03-0', '04-0'].sort());
  });

  test('none is removed as long as all fit', () => {
    const { cache, directory } = filled();
    const kept = lstatSync(join(directory, KEY)).size;
    aged(join(directory, '0d-0'), MOST - 2 * kept, 1000);
    cache.put('aa-0', [tableOf('kept')]);
    expect(names(directory)).toEqual([KEY, 'aa-0', '0d-0'].sort());
    cache.put('bb-0', [tableOf('more')]);
    expect(names(directory)).toEqual([KEY, 'aa-0', 'bb-0'].sort());
  });

  test('recently read ones are kept longer', () => {
    const { cache, directory, file, name } = filled();
    utimesSync(file, 1, 1);
    expect(name()).toBe('kept3');
    aged(join(directory, '0d-0'), MOST - 1, 1000);
    cache.put('ee-0', [tableOf('new')]);
    expect(names(directory)).toEqual([KEY, 'ee-0']);
  });

  test('unfinished ones older than an hour are removed', () => {
    const { cache, directory } = filled();
    aged(join(directory, '0a-0.0123.tmp'), 100, 3700);
    aged(join(directory, '0b-0.0123.tmp'), 100, 3500);
    aged(join(directory, '0f-0'), 100, 3700);
    aged(join(directory, 'not ours.tmp'), 100, 3700);
    cache.put('ee-0', [tableOf('new')]);
    expect(names(directory)).toEqual([KEY, '0f-0', 'ee-0', '0b-0.0123.tmp', 'not ours.tmp'].sort());
  });
});

test('several concurrent writers of one table each write all of it', { timeout: 60_000 }, async () => {
  const { directory, name } = filled();
  const contents = `
    import { newSymbolCache } from './bt/symbols/symbol-cache.ts';
    import { addRow, newRows } from './parsers/symbol-ranges.ts';
    import { newSymbolTable } from './parsers/symbol-table.ts';
    const [, , directory, prefix] = process.argv;
    for (let round = 0; round < ${attempts(10, 50)}; round++) {
      const count = 5000 + round;
      const rows = newRows(count);
      for (let i = 0; i < count; i++)
        addRow(rows, { start: 16 * i, end: 16 * i + 16, sized: true, merit: 0, position: i });
      const names = { nameAt: (i) => prefix + i, bytes: 0 };
      newSymbolCache(directory).put('${KEY}', [newSymbolTable(rows, () => names, [])]);
    }`;
  const outfile = join(temporaryFolder(), 'writer.mjs');
  const stdin = { contents, resolveDir: '.' };
  await build({ stdin, outfile, bundle: true, platform: 'node', format: 'esm', target: 'node20' });
  const writers = ['a', 'bb', 'ccc'].map((prefix) =>
    spawn(process.execPath, [outfile, directory, prefix], { stdio: 'inherit' }),
  );
  const ends = writers.map((writer) => new Promise((resolve) => writer.once('exit', resolve)));
  const seen = new Set<string | undefined>();
  while (writers.some((writer) => writer.exitCode === null)) {
    seen.add(name());
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect(await Promise.all(ends)).toEqual([0, 0, 0]);
  expect([...seen].filter((name) => !['kept3', 'a3', 'bb3', 'ccc3'].includes(name ?? ''))).toEqual([]);
  expect(['a3', 'bb3', 'ccc3']).toContain(name());
  expect(readdirSync(directory)).toEqual([KEY]);
});

describe('the cache directory', () => {
  test('is in $XDG_CACHE_HOME if we own that', () => {
    const home = temporaryFolder();
    vi.stubEnv('XDG_CACHE_HOME', home);
    expect(symbolCacheDirectory()).toBe(join(home, 'btprof/symbols'));
  });

  test.each([undefined, '', 'cache', './cache', '/tmp', '/nonexistent'])(
    'is in our home directory if that is %j',
    (value) => {
      vi.stubEnv('XDG_CACHE_HOME', value);
      vi.stubEnv('HOME', '/srv/another-home');
      expect(symbolCacheDirectory()).toBe(join(userInfo().homedir, '.cache/btprof/symbols'));
    },
  );
});
