import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readFunctions } from '../../parsers/elf-symbols.ts';
import type { ElfFile } from '../../parsers/elf-types.ts';
import type { SymbolTable } from '../../parsers/symbol-table.ts';
import { cases } from '../effort.ts';
import { lacks } from '../optional-tools.ts';
import { compile, elfOf, fileSource, library, output, temporaryFolder } from '../unit/parsers/elf-files.ts';
import {
  type Comparison,
  compareAddr2line,
  compareRanges,
  objdumpPlt,
  readelfFunctions,
  sampleAddresses,
} from './elf-oracle.ts';

/** Tens of MB are read and compared with slow programs. */
const TIMEOUT = 120_000;
const C = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static __attribute__((noinline)) int hidden(int x) { return x * 3 + (int)strlen(getenv("HOME")); }
__attribute__((noinline)) int exported(int x) { return hidden(x) + 1; }
__attribute__((weak, alias("exported"))) int alias_of_exported(int x);
__attribute__((weak, noinline)) int weak_one(int x) { return x + 7; }
asm(".text\\n.globl assembly\\nassembly:\\n nop\\n nop\\n.Llocal:\\n nop\\n ret\\n");
int main(int argc, char **argv) { puts(argv[0]); return exported(argc) + weak_one(argc); }
`;
const CPP = `
#include <vector>
#include <string>
namespace shop { struct Cart {
  std::vector<std::string> items;
  __attribute__((noinline)) void add(int n) { items.emplace_back(n, 'x'); }
  __attribute__((noinline)) void add(const std::string &s) { items.push_back(s); }
  template <typename T> __attribute__((noinline)) T total(T x) { return x + items.size(); }
}; }
int main() { shop::Cart c; c.add(3); c.add("y"); return c.total(1) + c.total(2.5); }
`;

const VARIANTS: [string, string[]][] = cases<[string, string[]]>(
  [
    ['by default', []],
    ['at a fixed address', ['-no-pie']],
  ],
  [
    ['with debug information', ['-g']],
    ['bound at start', ['-Wl,-z,now']],
    ['statically linked', ['-static']],
    ['statically linked, position-independent', ['-static-pie']],
    ['optimised', ['-O2', '-ffunction-sections']],
  ],
);
if (process.arch === 'x64') VARIANTS.push(['with CET', ['-fcf-protection=full', '-Wl,-z,ibtplt']]);

describe('functions of C programs', () => {
  test.each(VARIANTS)(
    'built %s, have the names that readelf, addr2line and objdump print',
    { timeout: TIMEOUT },
    (_, options) => {
      const program = compile(C, options);
      const { table, elf } = read(program);
      expectAgreement(withoutDebug(program), 400);
      expectPlt(program, elf, table);
      const startOf = new Map(readelfFunctions(program, elf).map(({ name, start }) => [name, start]));
      for (const name of ['main', 'hidden', 'exported', 'weak_one', 'assembly', '_start'])
        expect(table.find((startOf.get(name) as number) + 3)?.name).toBe(name);
      expect(table.problems).toEqual([]);
    },
  );

  test('of a stripped program have names only if they are exported', () => {
    const [program, stripped] = [compile(C, ['-rdynamic']), compile(C, ['-rdynamic', '-s'])];
    const elf = elfOf(fileSource(program));
    const startOf = new Map(readelfFunctions(program, elf).map(({ name, start }) => [name, start]));
    const { table } = read(stripped);
    expect(table.find(startOf.get('exported') as number)?.name).toBe('exported');
    expect(table.find(startOf.get('hidden') as number)).toBeUndefined();
  });

  test('of a separate debug file have the same names', () => {
    const [program, debug] = [compile(C, ['-g']), join(temporaryFolder(), 'debug')];
    output('objcopy', ['--only-keep-debug', program, debug]);
    const [whole, separate] = [read(program), read(debug)];
    expect(separate.table.problems).toEqual([]);
    for (const { name, start, end } of readelfFunctions(program, whole.elf))
      for (const address of [start, Math.max(start, end - 1)])
        expect([name, separate.table.find(address)]).toEqual([name, whole.table.find(address)]);
  });

  test('of a library have the names that readelf, addr2line and objdump print', () => {
    const path = compile(C, ['-shared', '-fPIC', '-Wl,-soname,libx.so']);
    const { table, elf } = read(path);
    expectPlt(path, elf, table);
    expectAgreement(path, 200);
  });

  test('of C++, overloaded and templates, have their mangled names', { timeout: TIMEOUT }, () => {
    const program = compile(CPP, [], { compiler: 'g++', suffix: 'cc' });
    expectAgreement(program, 1000);
    const { table, elf } = read(program);
    const found = readelfFunctions(program, elf).map(({ start }) => table.find(start)?.name);
    expect(found).toEqual(
      expect.arrayContaining([
        '_ZN4shop4Cart3addEi',
        '_ZN4shop4Cart5totalIiEET_S2_',
        '_ZN4shop4Cart5totalIdEET_S2_',
      ]),
    );
  });
});

describe('functions of a large file have the names that other tools print', () => {
  test.each(cases(['libc'], ['node']))('%s', { timeout: TIMEOUT }, (which) => {
    const path = which === 'node' ? process.execPath : library(compile(C), 'libc');
    const source = fileSource(path);
    const began = performance.now();
    const elf = elfOf(source);
    const table = readFunctions(source, elf);
    const took = performance.now() - began;
    console.info(
      `${path}: ${source.size} bytes, of which ${source.reads.bytes} were read; ${table.size} functions in`,
      `${table.bytes} bytes of memory, after ${took.toFixed(0)} ms`,
    );
    expect(source.reads.bytes).toBeLessThan(tableBytes(elf) + 50_000);
    expect(table.problems).toEqual([]);
    expectPlt(path, elf, table);
    const compared = expectAgreement(withoutDebug(path), 500);
    for (const [tool, { agreed, excluded, disagreed }] of Object.entries(compared))
      console.info(`  ${tool}: ${agreed} agree, ${disagreed.length} disagree, ${JSON.stringify(excluded)}`);
  });
});

describe.each(cases([], ['aarch64-linux-gnu', 'arm-linux-gnueabihf', 'i686-linux-gnu']))('%s', (target) => {
  const prefix = `${target}-`;
  const tools = ['gcc', 'readelf', 'addr2line', 'objdump', 'objcopy', 'strip'].map((tool) => prefix + tool);

  test.skipIf(lacks(...tools))(
    'functions of a program and of its C library have the names that other tools print',
    { timeout: TIMEOUT },
    () => {
      const program = compile(C.replace(/^asm.*$/m, ''), [], { compiler: `${prefix}gcc` });
      const libc = output(`${prefix}gcc`, ['-print-file-name=libc.so.6']).trim();
      for (const path of [program, libc]) {
        const { table, elf } = read(path);
        expect(table.problems).toEqual([]);
        if (elf.wide) expectPlt(path, elf, table, prefix);
        expectAgreement(withoutDebug(path, prefix), 500, prefix);
      }
    },
  );
});

function read(path: string): { table: SymbolTable; elf: ElfFile } {
  const source = fileSource(path);
  const elf = elfOf(source);
  return { table: readFunctions(source, elf), elf };
}

/** Bytes of the tables that contain names of functions. */
function tableBytes(elf: ElfFile): number {
  const names = ['.symtab', '.strtab', '.dynsym', '.dynstr', '.plt', '.plt.sec', '.plt.got'];
  return [...names, '.rela.plt', '.rela.dyn'].reduce((sum, name) => sum + (elf.section(name)?.size ?? 0), 0);
}

/**
 * Makes a copy in which addr2line only finds the symbols. With debug information, also that of files found by build ID or debug
 * link, it would name inlined functions.
 */
function withoutDebug(path: string, prefix = ''): string {
  const copy = join(temporaryFolder(), basename(path));
  output(`${prefix}strip`, ['--strip-debug', '-o', copy, path]);
  const { buildId, debugLink } = elfOf(fileSource(copy));
  const bytes = readFileSync(copy);
  if (buildId) bytes[bytes.indexOf(buildId, 'hex')] = 0;
  if (debugLink) bytes.write('?', bytes.indexOf(`${debugLink.name}\0`));
  writeFileSync(copy, bytes);
  return copy;
}

function expectAgreement(path: string, count: number, prefix = ''): Record<string, Comparison> {
  const { table, elf } = read(path);
  const functions = readelfFunctions(path, elf, prefix);
  const addresses = sampleAddresses(elf, functions, count);
  const compared = {
    readelf: compareRanges(table, functions, addresses),
    addr2line: compareAddr2line(table, functions, addresses, path, prefix),
  };
  expect(compared.readelf.disagreed).toEqual([]);
  expect(compared.addr2line.disagreed).toEqual([]);
  expect(compared.addr2line.agreed).toBeGreaterThan(addresses.length / 2);
  return compared;
}

/** Expects the names of objdump. A function chosen at run time has the name of its resolver. */
function expectPlt(path: string, elf: ElfFile, table: SymbolTable, prefix = ''): void {
  const entries = objdumpPlt(path, elf, prefix);
  for (const [address, name] of entries) {
    const chooser = /^\*ABS\*\+0x(\w+)@plt$/.exec(name)?.[1];
    const expected = chooser ? `${table.find(Number.parseInt(chooser, 16))?.name}@plt` : name;
    if (!name.startsWith('*ABS*@'))
      expect([name, table.find(address)]).toEqual([
        name,
        expect.objectContaining({ name: expected, start: address }),
      ]);
  }
}
