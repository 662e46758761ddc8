import { chmodSync, chownSync, copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { newObjectFiles } from '../../bt/symbols/object-files.ts';
import { newSymbolCache, type SymbolCache } from '../../bt/symbols/symbol-cache.ts';
import type { Mapping } from '../../parsers/proc.ts';
import type { SymbolTable } from '../../parsers/symbol-table.ts';
import { newAsker } from '../unit/bt/symbols/asker.ts';
import {
  codeMappings,
  fileOffsets,
  functionsOf,
  manyFunctions,
  type NmFunction,
  newWorkshop,
  realFile,
} from '../unit/bt/symbols/real-programs.ts';

/** Enough functions for a table that is cached. */
const SOURCE = `${manyFunctions(1200)}\nint main(void) { return f1199(1); }\n`;
const OTHER_USER = 12_345;

/** A cache that records its requests. `poison` changes the cached names, which shows where a name came from. */
function recordedCache() {
  const kept = new Map<string, readonly SymbolTable[]>();
  const got: string[] = [];
  const cache: SymbolCache = {
    get: (key) => {
      got.push(key);
      return kept.get(key);
    },
    put: (key, tables) => kept.set(key, tables),
  };
  const poison = () => {
    for (const [key, tables] of kept) kept.set(key, tables.map(poisoned));
  };
  return { cache, kept, got, poison };
}

function poisoned(table: SymbolTable): SymbolTable {
  const find: SymbolTable['find'] = (vaddr) => {
    const found = table.find(vaddr);
    return found && { ...found, name: `kept_${found.name}` };
  };
  return { ...table, find };
}

describe.skipIf(process.platform !== 'linux')('a cache of symbol tables', () => {
  const { in_, build, run, close } = newWorkshop('cached');
  const whole = build('whole', ['-O0', '-Wl,--build-id'], SOURCE);
  afterAll(close);

  const copied = (name: string, path = whole) => {
    copyFileSync(path, in_(name));
    return in_(name);
  };
  const functionOf = (path: string) => functionsOf(path).find((f) => f.name === 'f700') as NmFunction;
  const inWhole = functionOf(whole);
  /** The name that a run finds for the function f700 of a program. */
  const nameIn = async (path: string, cache?: SymbolCache, place = inWhole) => {
    const files = newObjectFiles();
    const { file } = realFile(path);
    files.see(file, { pid: process.pid, path });
    const mapping: Mapping = { start: 0n, end: 0n, fileOffset: 0n, file, path };
    const { user, problems } = newAsker(files, cache);
    const name = (await user(mapping, fileOffsets(path)(place.start)))?.symbol;
    expect(await problems()).toEqual([]);
    files.close();
    return name;
  };
  /** A program without symbols, which are in its debug file. */
  const withDebugFile = (name: string) => {
    const [path, debugFile] = [copied(name), in_(`${name}.debug`)];
    run('objcopy', '--only-keep-debug', whole, debugFile);
    run('strip', path);
    run('objcopy', `--add-gnu-debuglink=${debugFile}`, path);
    return { path, debugFile };
  };

  test('is filled by the first run and read by the next', async () => {
    const { cache, kept, got, poison } = recordedCache();
    expect(await nameIn(whole, cache)).toBe('f700');
    poison();
    expect(await nameIn(whole, cache)).toBe('kept_f700');
    expect(new Set(got)).toEqual(new Set(kept.keys()));
    expect(await nameIn(whole)).toBe('f700');
  });

  test('gives the same names if it is stored in files', async () => {
    const directory = in_('symbols');
    expect(await nameIn(whole, newSymbolCache(directory))).toBe('f700');
    const [file, ...more] = readdirSync(directory) as [string];
    expect(more).toEqual([]);
    expect(await nameIn(whole, newSymbolCache(directory))).toBe('f700');
    const bytes = readFileSync(`${directory}/${file}`, 'latin1');
    writeFileSync(`${directory}/${file}`, bytes.replace('\0f700\0', '\0kept\0'), 'latin1');
    expect(await nameIn(whole, newSymbolCache(directory))).toBe('kept');
  });

  test('is keyed by build ID and by file, so a copy has its own entry', async () => {
    const { cache, kept, poison } = recordedCache();
    await nameIn(whole, cache);
    poison();
    expect(await nameIn(copied('copy'), cache)).toBe('f700');
    kept.delete([...kept.keys()][1] as string);
    const other = build('other', ['-O0', '-Wl,--build-id'], `int more(int n) { return n; }\n${SOURCE}`);
    expect(await nameIn(other, cache, functionOf(other))).toBe('f700');
    const ids = [whole, other].map((path) => /Build ID: (\w+)/.exec(run('readelf', '-n', path))?.[1]);
    expect([...kept.keys()].map((key) => key.split('-')[0])).toEqual(ids);
  });

  describe('is neither filled nor read for an object', () => {
    test.each<[string, (path: string) => void]>([
      ['that others can write', (path) => chmodSync(path, 0o757)],
      ['that the group can write', (path) => chmodSync(path, 0o775)],
      ['without a build ID', (path) => run('objcopy', '--remove-section=.note.gnu.build-id', path)],
    ])('%s', async (what, change) => {
      const { cache, kept, got, poison } = recordedCache();
      const path = copied(what);
      change(path);
      expect(await nameIn(path, cache)).toBe('f700');
      expect([...kept.keys(), ...got]).toEqual([]);
      await nameIn(whole, cache);
      poison();
      expect(await nameIn(path, cache)).toBe('f700');
    });

    test.skipIf(process.geteuid?.() !== 0)('owned by another user', async () => {
      const { cache, kept, got } = recordedCache();
      const path = copied('theirs');
      chownSync(path, OTHER_USER, OTHER_USER);
      expect(await nameIn(path, cache)).toBe('f700');
      expect([...kept.keys(), ...got]).toEqual([]);
    });
  });

  test('is not used for the vDSO', async () => {
    const { cache, kept, got } = recordedCache();
    const maps = readFileSync('/proc/self/maps', 'utf8');
    const vdso = codeMappings(maps).find(({ path }) => path === '[vdso]') as Mapping;
    const places = Array.from({ length: Number(vdso.end - vdso.start) }, (_, fileOffset) => {
      return { mapping: vdso, fileOffset };
    });
    const found = await newAsker(newObjectFiles(), cache).users(places);
    expect(found.some((place) => place?.symbol.includes('clock_gettime'))).toBe(true);
    expect([...kept.keys(), ...got]).toEqual([]);
  });

  describe('of an object with a debug file', () => {
    test('has the names of the debug file, unless others can write to that', async () => {
      const { cache, kept, poison } = recordedCache();
      const { path, debugFile } = withDebugFile('first');
      expect(await nameIn(path, cache)).toBe('f700');
      poison();
      expect(await nameIn(path, cache)).toBe('kept_f700');
      chmodSync(debugFile, 0o646);
      expect(await nameIn(path, cache)).toBe('f700');
      expect(kept.size).toBe(1);
    });

    test('has the names as soon as the debug file is found', async () => {
      const { cache } = recordedCache();
      const bare = copied('bare');
      run('strip', bare);
      expect(await nameIn(bare, cache)).toBeUndefined();
      run('objcopy', '--only-keep-debug', whole, in_('bare.debug'));
      run('objcopy', `--add-gnu-debuglink=${in_('bare.debug')}`, bare);
      expect(await nameIn(bare, cache)).toBe('f700');
    });
  });
});
