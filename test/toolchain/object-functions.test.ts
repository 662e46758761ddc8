import { execFileSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { newObjectFiles } from '../../bt/symbols/object-files.ts';
import type { Mapping } from '../../parsers/proc.ts';
import { cases } from '../effort.ts';
import { newAsker } from '../unit/bt/symbols/asker.ts';
import {
  codeMappings,
  fileOffsets,
  functionsOf,
  LINKED,
  type NmFunction,
  newWorkshop,
  realFile,
  runSelf,
} from '../unit/bt/symbols/real-programs.ts';

/** Functions before and after a static function. */
const LIBRARY = `
__attribute__((noinline)) int first(int n) { return n * 3 + 1; }
__attribute__((noinline)) int second(int n) { return n * 5 + 1; }
static __attribute__((noinline)) int hidden(int n) { return n * 7 + 3; }
__attribute__((noinline)) int last(int n) { return hidden(n) + first(n) + second(n); }
`;
const IN_ORDER = ['-shared', '-fPIC', '-fno-toplevel-reorder'];

describe.skipIf(process.platform !== 'linux')('user functions', () => {
  const { in_, build, run, close } = newWorkshop('symbols');
  const files = newObjectFiles();
  const { user, users } = newAsker(files);
  afterAll(() => {
    files.close();
    close();
  });

  /** Requests places in a file as if it were mapped. */
  const asker = (path: string, find = users, objectFiles = files) => {
    const { file } = realFile(path);
    objectFiles.see(file, { pid: process.pid, path });
    const mapping: Mapping = { start: 0n, end: 0n, fileOffset: 0n, file, path };
    const offsetOf = fileOffsets(path);
    return (...vaddrs: number[]) => find(vaddrs.map((vaddr) => ({ mapping, fileOffset: offsetOf(vaddr) })));
  };
  /** Expects that the first, a middle and the last byte of each function have a name that nm prints for that place. */
  const expectNamed = async (ask: ReturnType<typeof asker>, functions: readonly NmFunction[]) => {
    const asked = functions.flatMap(({ name, start, size }) =>
      [0, size >> 1, size - 1].map((offset) => ({ name, vaddr: start + offset })),
    );
    const found = await ask(...asked.map(({ vaddr }) => vaddr));
    const wrong = asked.filter(({ vaddr }, i) => {
      const alike = functions.filter(
        (f) => f.name === found[i]?.symbol && vaddr - f.start === found[i].offset,
      );
      return !alike.some((f) => vaddr < f.start + f.size);
    });
    expect(wrong).toEqual([]);
    expect(functions.length).toBeGreaterThan(0);
  };
  const stripped = (path: string, name: string) => {
    const copy = in_(name);
    copyFileSync(path, copy);
    run('strip', copy);
    return copy;
  };
  const named = (functions: readonly NmFunction[], ...names: string[]) =>
    functions.filter((f) => names.includes(f.name));

  // Static programs contain all functions of the C library.
  describe.each(cases(LINKED.slice(0, 2), LINKED.slice(2)))('in a program that is %s', (what, flags) => {
    const path = build(what.replaceAll(' ', '-'), flags);

    test('have the names that nm prints', async () => {
      const functions = functionsOf(path).filter((f) => f.size > 0);
      expect(named(functions, 'exported', 'copy', 'main')).toHaveLength(3);
      await expectNamed(asker(path), functions);
    });

    test('have their names at the addresses of a run', async () => {
      const { addresses, maps } = runSelf(path);
      for (const { file, path } of codeMappings(maps)) files.see(file, { pid: process.pid, path });
      const { exported, copy, main } = addresses;
      const placeOf = (hex: string) => {
        const address = BigInt(`0x${hex}`);
        const mapping = codeMappings(maps).find((m) => m.start <= address && address < m.end) as Mapping;
        return { mapping, fileOffset: Number(address - mapping.start + mapping.fileOffset) };
      };
      expect(await users([exported, main, copy].map(placeOf))).toEqual([
        { symbol: 'exported', offset: 0 },
        { symbol: 'main', offset: 0 },
        { symbol: 'copy', offset: 0 },
      ]);
    });
  });

  const whole = build('whole', ['-rdynamic']);
  const library = build('library.so', IN_ORDER, LIBRARY);

  describe('in a program without a symbol table', () => {
    const functions = named(functionsOf(whole), 'exported', 'copy', 'main');

    test('have only their exported names', async () => {
      const ask = asker(stripped(whole, 'bare'));
      await expectNamed(ask, named(functions, 'exported', 'main'));
      const [copy] = named(functions, 'copy');
      expect(await ask(copy?.start ?? 0)).toEqual([undefined]);
    });

    test.each([
      ['beside it', 'beside', 'beside.debug'],
      ['in .debug', 'hidden', '.debug/hidden.debug'],
    ])('have the names of the debug file %s', async (_, name, debugFile) => {
      mkdirSync(in_('.debug'), { recursive: true });
      run('objcopy', '--only-keep-debug', whole, in_(debugFile));
      const path = stripped(whole, name);
      run('objcopy', `--add-gnu-debuglink=${in_(debugFile)}`, path);
      await expectNamed(asker(path), functions);
    });

    test('do not have names from a debug file of another build', async () => {
      const other = build('other', ['-rdynamic', '-O2']);
      run('objcopy', '--only-keep-debug', other, in_('stale.debug'));
      const path = stripped(whole, 'stale');
      run('objcopy', `--add-gnu-debuglink=${in_('stale.debug')}`, path);
      const ask = asker(path);
      await expectNamed(ask, named(functions, 'exported', 'main'));
      expect(await ask(...named(functions, 'copy').map((f) => f.start))).toEqual([undefined]);
    });

    test('do not have names from a debug file with a wrong checksum', async () => {
      const flags = [...IN_ORDER, '-Wl,--build-id=none'];
      const mine = build('mine.so', flags, LIBRARY);
      const path = stripped(mine, 'linked.so');
      run('objcopy', '--only-keep-debug', mine, in_('linked.debug'));
      run('objcopy', `--add-gnu-debuglink=${in_('linked.debug')}`, path);
      const renamed = build('renamed.so', flags, LIBRARY.replace(/first|second|hidden|last/g, 'not_$&'));
      run('objcopy', '--only-keep-debug', renamed, in_('linked.debug'));
      await expectNamed(asker(path), named(functionsOf(mine), 'first', 'second', 'last'));
    });

    test('have the names of a debug file without a build ID, by its checksum', async () => {
      const mine = build('checked.so', [...IN_ORDER, '-Wl,--build-id=none'], LIBRARY);
      const path = stripped(mine, 'checked-stripped.so');
      run('objcopy', '--only-keep-debug', mine, in_('checked.debug'));
      run('objcopy', `--add-gnu-debuglink=${in_('checked.debug')}`, path);
      await expectNamed(asker(path), functionsOf(mine));
    });

    test('have the names of the debug file, too, if a symbol was kept', async () => {
      run('objcopy', '--only-keep-debug', whole, in_('kept.debug'));
      run('strip', '--keep-symbol=main', '-o', in_('kept'), whole);
      run('objcopy', `--add-gnu-debuglink=${in_('kept.debug')}`, in_('kept'));
      await expectNamed(asker(in_('kept')), functions);
    });

    test('do not have names from a debug file that is not an ELF file', async () => {
      const path = stripped(whole, 'broken');
      writeFileSync(in_('broken.debug'), 'no ELF file');
      run('objcopy', `--add-gnu-debuglink=${in_('broken.debug')}`, path);
      await expectNamed(asker(path), named(functions, 'exported', 'main'));
    });
  });

  test('a handler returns to the first byte of a trampoline, which is looked up one byte before it', async () => {
    const source = `${LIBRARY}
      asm(".text\\nnop\\n.globl __restore_rt\\n.type __restore_rt, %function\\n__restore_rt:\\nnop\\nnop\\n.size __restore_rt, 2");`;
    const path = build('signals.so', IN_ORDER, source);
    const [trampoline] = named(functionsOf(path), '__restore_rt');
    const start = trampoline?.start ?? 0;
    const found = await asker(path)(start - 1, start, start - 2);
    expect(found).toEqual([
      { symbol: '__restore_rt', offset: 0 },
      { symbol: '__restore_rt', offset: 0 },
      expect.not.objectContaining({ symbol: '__restore_rt' }),
    ]);
  });

  /** Does what find-debuginfo does on Fedora: packs the functions that are not exported with xz. */
  const packed = (path: string, name: string) => {
    const nm = (...options: string[]) =>
      execFileSync('nm', ['--format=posix', '--defined-only', ...options, path], { encoding: 'utf8' })
        .split('\n')
        .filter((line) => / [TtD] /.test(line))
        .map((line) => line.split(' ')[0] as string);
    const exported = new Set(nm('-D').map((symbol) => symbol.split('@')[0]));
    writeFileSync(
      in_(`${name}.keep`),
      nm()
        .filter((symbol) => !exported.has(symbol))
        .join('\n'),
    );
    const mini = in_(`${name}.mini`);
    run('objcopy', '--only-keep-debug', path, in_(`${name}.whole`));
    run('objcopy', '-S', `--keep-symbols=${in_(`${name}.keep`)}`, in_(`${name}.whole`), mini);
    run('xz', '-f', mini);
    const result = stripped(path, name);
    run('objcopy', '--add-section', `.gnu_debugdata=${mini}.xz`, result);
    return result;
  };

  describe('in a file with a packed symbol table (.gnu_debugdata)', () => {
    test('have the packed names and the exported names', async () => {
      const functions = named(functionsOf(whole), 'copy', 'main');
      await expectNamed(asker(packed(whole, 'packed')), functions);
    });

    test('have only the exported names if the table cannot be unpacked', async () => {
      const path = stripped(whole, 'damaged');
      writeFileSync(in_('damaged.xz'), 'no xz file');
      run('objcopy', '--add-section', `.gnu_debugdata=${in_('damaged.xz')}`, path);
      const ask = asker(path);
      const functions = functionsOf(whole);
      await expectNamed(ask, named(functions, 'exported', 'main'));
      expect(await ask(...named(functions, 'copy').map((f) => f.start))).toEqual([undefined]);
    });

    test('have the packed names in a library too', async () => {
      const functions = named(functionsOf(library), 'hidden', 'last');
      await expectNamed(asker(packed(library, 'packed.so')), functions);
    });

    /** `frame_dummy` of crtbegin.o, which has no size, stands before them. */
    test('have their exported name, even after a packed symbol of unknown size', async () => {
      const functions = named(functionsOf(library), 'first', 'second');
      await expectNamed(asker(packed(library, 'packed-after.so')), functions);
    });
  });

  test('of other libraries have the names of their PLT entries', async () => {
    const path = build('plt', ['-Wl,-z,lazy']);
    const entries = [...run('objdump', '-d', path).matchAll(/^([0-9a-f]+) <(\w+@plt)>:$/gm)];
    expect(entries.map((entry) => entry[2])).toContain('fopen@plt');
    const ask = asker(path);
    for (const [, address, symbol] of entries)
      expect(await ask(Number.parseInt(address as string, 16))).toEqual([{ symbol, offset: 0 }]);
  });

  test('of the C library have their exported names, or aliases', async () => {
    const own = codeMappings(readFileSync('/proc/self/maps', 'utf8'));
    const libc = own.find(({ path }) => /\/(libc\.so|ld-musl)/.test(path))?.path ?? '';
    const ask = asker(libc);
    const functions = functionsOf(libc, '-D').filter((f) => f.size > 0);
    const starts = new Set(functions.map((f) => f.start));
    const places = await ask(...functions.map((f) => f.start));
    const found = functions.map((f, i) => ({ ...f, found: places[i] }));
    expect(found.filter((f) => f.found?.offset !== 0)).toEqual([]);
    expect(starts.size).toBeGreaterThan(1000);
    for (const name of ['clock_nanosleep', 'getppid', 'qsort'])
      expect(found.find((f) => f.name === name)?.found?.symbol).toBe(name);
  });

  describe('in the vDSO', () => {
    const maps = existsSync('/proc/self/maps') ? readFileSync('/proc/self/maps', 'utf8') : '';
    const mapping = codeMappings(maps).find(({ path }) => path === '[vdso]') as Mapping;
    const functions = () => {
      const memory = openSync('/proc/self/mem', 'r');
      const bytes = Buffer.alloc(Number(mapping.end - mapping.start));
      readSync(memory, bytes, 0, bytes.length, Number(mapping.start));
      closeSync(memory);
      writeFileSync(in_('vdso.so'), bytes);
      return functionsOf(in_('vdso.so'), '-D').filter((f) => f.size > 0);
    };

    test('have their names, at the same offsets in every process', async () => {
      const offsetOf = fileOffsets(functions() && in_('vdso.so'));
      await expectNamed(
        (...vaddrs) => users(vaddrs.map((vaddr) => ({ mapping, fileOffset: offsetOf(vaddr) }))),
        functions(),
      );
      const elsewhere = { ...mapping, start: 0x7ffc00010000n, end: 0x7ffc00012000n };
      const [clock] = functions().filter((f) => /^__(vdso|kernel)_clock_gettime$/.test(f.name));
      expect(clock && (await user(elsewhere, offsetOf(clock.start)))).toEqual({
        symbol: clock?.name,
        offset: 0,
      });
    });
  });

  describe('have no name', () => {
    const path = build('nameless', []);
    const { file } = realFile(path);
    const mapping: Mapping = { start: 0n, end: 0n, fileOffset: 0n, file, path };
    const [main] = named(functionsOf(path), 'main');

    test.each<[string, Partial<Mapping>]>([
      ['in memory without a file', { file: '00:00 0', path: '' }],
      ['in a stack', { file: '00:00 0', path: '[stack]' }],
      ['in an unknown file', { file: 'ff:00 1' }],
    ])('%s', async (_, other) => {
      expect(await user({ ...mapping, ...other }, fileOffsets(path)(main?.start ?? 0))).toBeUndefined();
    });

    test.each(['', 'text', '#!/bin/sh\n'])('in a file that is not an ELF file: %j', async (content) => {
      const name = in_(`text ${content.length}`);
      writeFileSync(name, content);
      const { file } = realFile(name);
      files.see(file, { pid: process.pid, path: name });
      expect(await user({ ...mapping, file, path: name }, 0)).toBeUndefined();
    });

    test('outside of code', async () => {
      files.see(file, { pid: process.pid, path });
      for (const offset of [0, 0x40, statSync(path).size, 2 ** 40])
        expect(await user(mapping, offset)).toBeUndefined();
    });
  });

  test('have their names even if the program was deleted and its path is used again', async () => {
    const path = build('replaced', []);
    const functions = named(functionsOf(path), 'main', 'copy');
    const offsetOf = fileOffsets(path);
    const { file } = realFile(path);
    files.see(file, { pid: process.pid, path });
    unlinkSync(path);
    build('replaced', [], 'int main(void) { return 0; }');
    const mapping: Mapping = { start: 0n, end: 0n, fileOffset: 0n, file, path };
    for (const { name, start } of functions)
      expect(await user(mapping, offsetOf(start))).toEqual({ symbol: name, offset: 0 });
  });

  test('have their names once their file is found, even if they were requested earlier', async () => {
    const path = build('later', []);
    const [main] = named(functionsOf(path), 'main') as [NmFunction];
    const laterFiles = newObjectFiles();
    const later = newAsker(laterFiles);
    const { file } = realFile(path);
    const mapping: Mapping = { start: 0n, end: 0n, fileOffset: 0n, file, path };
    expect(await later.user(mapping, fileOffsets(path)(main.start))).toBeUndefined();
    expect(await asker(path, later.users, laterFiles)(main.start)).toEqual([{ symbol: 'main', offset: 0 }]);
  });
});
