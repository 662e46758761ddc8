import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ET_DYN, ET_EXEC, fileOffsetToVaddr } from '../../parsers/elf.ts';
import type { ElfFile } from '../../parsers/elf-types.ts';
import { cases } from '../effort.ts';
import { compile, elfOf, fileSource, library, output, temporaryFolder } from '../unit/parsers/elf-files.ts';

const PROGRAM = 'int main(void) { return 0; }\n';

describe('a file of this system', () => {
  test.each(cases(['the program', 'its C library', 'an object file'], ['node']))(
    '%s has the headers that readelf prints',
    (which) => {
      const program = compile(PROGRAM);
      const path = {
        'the program': program,
        'its C library': library(program, 'libc'),
        node: process.execPath,
        'an object file': compile(PROGRAM, ['-c']),
      }[which] as string;
      const source = fileSource(path);
      const elf = elfOf(source);
      expect(elf.problems).toEqual([]);
      expect(elf.sections.map(sectionRow)).toEqual(readelfSections(path));
      expect(elf.segments.map(segmentRow)).toEqual(readelfSegments(path));
      expect(elf.buildId).toBe(/Build ID: (\w+)/.exec(output('readelf', ['-nW', path]))?.[1]);
      expect(elf.entry).toBe(
        Number(/Entry point address: +(\w+)/.exec(output('readelf', ['-hW', path]))?.[1]),
      );
      expect(source.reads.bytes).toBeLessThan(20_000);
    },
  );

  test('links to a separate debug file', () => {
    const [program, folder] = [compile(PROGRAM, ['-g', '-Wl,--build-id']), temporaryFolder()];
    const debug = join(folder, 'program.debug');
    output('objcopy', ['--only-keep-debug', program, debug]);
    output('objcopy', ['--strip-all', `--add-gnu-debuglink=${debug}`, program]);
    const [stripped, symbols] = [elfOf(fileSource(program)), elfOf(fileSource(debug))];
    expect(stripped.debugLink).toEqual({ name: 'program.debug', crc: crc32(readFileSync(debug)) });
    expect(symbols.debugLink).toBeUndefined();
    expect(stripped.buildId).toMatch(/^[0-9a-f]{40}$/);
    expect(symbols.buildId).toBe(stripped.buildId);
    expect(stripped.section('.symtab')).toBeUndefined();
    expect(symbols.section('.symtab')?.size).toBeGreaterThan(0);
  });

  test.each([
    ['-no-pie', ET_EXEC],
    ['-pie', ET_DYN],
    ['-static', ET_EXEC],
  ])('%s: gives the address of the code at a file offset', (option, type) => {
    const path = compile(PROGRAM, [option]);
    const elf = elfOf(fileSource(path));
    const text = elf.section('.text') as { offset: number; addr: number };
    expect(elf.type).toBe(type);
    expect(fileOffsetToVaddr(elf, text.offset + 5)).toBe(text.addr + 5);
  });

  test('has a section that the caller decompresses', () => {
    const [program, content] = [compile(PROGRAM), join(temporaryFolder(), 'content')];
    writeFileSync(content, 'xz data');
    output('objcopy', [`--add-section=.gnu_debugdata=${content}`, program]);
    const { offset, size } = elfOf(fileSource(program)).section('.gnu_debugdata') as {
      offset: number;
      size: number;
    };
    expect(fileSource(program).read(offset, size).toString()).toBe('xz data');
  });
});

const hex = (value: number) => value.toString(16);

function sectionRow({ name, addr, offset, size, link }: ElfFile['sections'][number]): string {
  return [name, hex(addr), hex(offset), hex(size), link].join(' ');
}

/** `  [13] .text             PROGBITS        0000000000b72000 772000 1a8bca0 00  AX  0   0 8192` */
function readelfSections(path: string): string[] {
  const row =
    /^ +\[ *\d+\] (\S*) +[A-Z][\w.]* +([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+) [0-9a-f]+ +[A-Za-z]* +(\d+) +\d+ +\d+$/gm;
  return [...output('readelf', ['-SW', path]).matchAll(row)].map(([, name, addr, offset, size, link]) =>
    [name, ...[addr, offset, size].map((text) => hex(Number.parseInt(text as string, 16))), link].join(' '),
  );
}

function segmentRow({
  fileOffset,
  vaddr,
  fileSize,
  memSize,
  executable,
}: ElfFile['segments'][number]): string {
  return [hex(fileOffset), hex(vaddr), hex(fileSize), hex(memSize), executable].join(' ');
}

/** `  LOAD           0x026000 0x0000000000026000 0x0000000000026000 0x15510d 0x15510d R E 0x1000` */
function readelfSegments(path: string): string[] {
  const row = /^ +LOAD +0x(\w+) 0x(\w+) 0x\w+ 0x(\w+) 0x(\w+) (.{3}) 0x/gm;
  return [...output('readelf', ['-lW', path]).matchAll(row)].map(
    ([, offset, vaddr, fileSize, memSize, flags]) =>
      [
        ...[offset, vaddr, fileSize, memSize].map((text) => hex(Number.parseInt(text as string, 16))),
        flags?.includes('E'),
      ].join(' '),
  );
}

function crc32(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
