import { describe, expect, test } from 'vitest';
import { codePlaceAt } from '../../../../bt/symbols/object-functions.ts';
import type { ObjectSymbols } from '../../../../bt/symbols/object-symbols.ts';
import { addRow, newRows } from '../../../../parsers/symbol-ranges.ts';
import { newSymbolTable } from '../../../../parsers/symbol-table.ts';
import { buildElf } from '../../parsers/elf-builder.ts';
import { elfOf, memorySource } from '../../parsers/elf-files.ts';

const X86_64 = 62;
const AARCH64 = 183;
const TEXT = 0x1000;
/** Where the second function begins, in the code. */
const SECOND = 16;

/** Two functions; the first one ends with this code. */
function object(code: string, { machine = X86_64, name = 'second' } = {}): ObjectSymbols {
  const content = Buffer.alloc(64, 0x90);
  content.write(code, SECOND - code.length / 2, 'hex');
  const section = { name: '.text', type: 1, flags: 6, addr: TEXT, content };
  const segment = { type: 1, flags: 5, vaddr: TEXT, memSize: 64, section: '.text' };
  const source = memorySource(buildElf({ wide: true, machine, sections: [section], segments: [segment] }));
  const elf = elfOf(source);
  const rows = newRows(2);
  addRow(rows, { start: TEXT, end: TEXT + SECOND, sized: true, merit: 0, position: 0 });
  addRow(rows, { start: TEXT + SECOND, end: TEXT + 64, sized: true, merit: 0, position: 1 });
  const nameAt = (position: number) => ['first', name][position];
  const tables = [newSymbolTable(rows, () => ({ nameAt, bytes: 0 }), [])];
  return { source, elf, tables, lines: new Map() };
}

/** The place before the second function: a caller's place is one byte before the word in the stack. */
function placeIn({ elf }: ObjectSymbols, at = SECOND - 1): number {
  return (elf.section('.text')?.offset ?? 0) + at;
}

describe('a word that points to the start of a function', () => {
  test.each([
    ['call near', 'e800000000'],
    ['call *%rax', 'ffd0'],
    ['call *%r11', '41ffd3'],
    ['call *(%rax)', 'ff10'],
    ['call *8(%rbx)', 'ff5308'],
    ['call *8(%rsp)', 'ff542408'],
    ['call *0x2000(%rip)', 'ff1500200000'],
    ['call *0x200(%rdx)', 'ff9200020000'],
    ['call *0x200(%rsp,%rcx,8)', 'ff94cc00020000'],
    ['call *0x1000(,%rcx,8)', 'ff14cd00100000'],
  ])('may be a return address after %s', (_, code) => {
    const it = object(code);
    expect(codePlaceAt(it, placeIn(it)).isUncalled).toBe(false);
  });

  test.each([
    ['ret', 'c3'],
    ['jmp', 'e900000000'],
    ['jmp *%rax', 'ffe0'],
    ['push', 'ff7500'],
    ['a call with bytes after it', 'e80000000090'],
  ])('is none after %s', (_, code) => {
    const it = object(code);
    expect(codePlaceAt(it, placeIn(it)).isUncalled).toBe(true);
  });

  test.each([
    ['bl', '00000094', false],
    ['blr x1', '20003fd6', false],
    ['blraaz x1', '3f083fd6', false],
    ['blraa x1, x2', '22083fd7', false],
    ['ret', 'c0035fd6', true],
    ['b', '00000014', true],
  ])('on aarch64, after %s', (_, code, isNone) => {
    const it = object(code, { machine: AARCH64 });
    expect(codePlaceAt(it, placeIn(it)).isUncalled).toBe(isNone);
  });

  test('is where a handler of signals returns to', () => {
    const it = object('c3', { name: '__restore_rt' });
    expect(codePlaceAt(it, placeIn(it)).isUncalled).toBe(false);
  });

  test('is not judged on other machines', () => {
    const it = object('c3', { machine: 3 });
    expect(codePlaceAt(it, placeIn(it)).isUncalled).toBe(false);
  });
});

test('a word that points into a function may be a return address', () => {
  const it = object('c3');
  expect(codePlaceAt(it, placeIn(it, SECOND + 3)).isUncalled).toBe(false);
});
