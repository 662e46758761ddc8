import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Mapping, parseMaps } from '../../../../parsers/proc.ts';

/** Prints where its functions are, and then /proc/self/stat, maps and auxv. */
const SELF = `
#include <stdio.h>
__attribute__((noinline)) int exported(int n) { return n * 3 + 1; }
static __attribute__((noinline)) int copy(const char *name) {
  char bytes[4096];
  FILE *file = fopen(name, "r");
  int sum = 0;
  for (int n; (n = fread(bytes, 1, sizeof bytes, file)) > 0; sum += n) fwrite(bytes, 1, n, stdout);
  fclose(file);
  return sum;
}
int main(int argc, char **argv) {
  printf("%p %p %p\\n", (void *)exported, (void *)copy, (void *)main);
  int sum = copy("/proc/self/stat") + copy("/proc/self/maps");
  puts("--");
  return exported(copy("/proc/self/auxv") + sum) == argc;
}
`;

/** C source of functions `f0`, `f1`, … of about 30 bytes each. Later ones call earlier ones. */
export function manyFunctions(count: number): string {
  const body = (i: number) => (i === 0 ? 'n' : `f${i - 1}(n * ${i}) + f${i >> 1}(n + ${i})`);
  return Array.from(
    { length: count },
    (_, i) => `__attribute__((noinline)) int f${i}(int n) { return ${body(i)}; }\n`,
  ).join('');
}

/** The linking mode of a program decides where its code is. */
export const LINKED: readonly (readonly [string, readonly string[]])[] = [
  ['position-independent', ['-pie', '-fPIE']],
  ['at a fixed address', ['-no-pie', '-fno-pie']],
  ['static', ['-static', '-no-pie', '-fno-pie']],
  ['static and position-independent', ['-static-pie', '-fPIE']],
];

/** A temporary directory in which tests build programs. */
export interface Workshop {
  /** A path in it. */
  readonly in_: (name: string) => string;
  /** @returns the path of the program */
  readonly build: (name: string, flags: readonly string[], source?: string) => string;
  /** Runs a tool in this directory. */
  readonly run: (tool: string, ...args: string[]) => string;
  readonly close: () => void;
}

export function newWorkshop(name: string): Workshop {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), `btprof-${name} `)));
  const in_ = (file: string) => join(dir, file);
  const run = (tool: string, ...args: string[]) => execFileSync(tool, args, { cwd: dir, encoding: 'utf8' });
  return {
    in_,
    run,
    build: (program, flags, source = SELF) => {
      writeFileSync(in_(`${program}.c`), source);
      run('gcc', '-O1', '-w', ...flags, '-o', program, `${program}.c`);
      return in_(program);
    },
    close: () => rmSync(dir, { recursive: true }),
  };
}

/** Wrappers of tools that record when they are started. */
export interface WatchedTools {
  /** A directory with the tools, for PATH. */
  readonly path: string;
  /** The tools that were started since the last `forget`. */
  readonly started: () => string[];
  readonly forget: () => void;
}

/** @param tools names; those that this system lacks are omitted */
export function watchTools({ in_, run }: Workshop, tools: readonly string[]): WatchedTools {
  const [path, log] = [in_('tools'), in_('started')];
  chmodSync(in_(''), 0o755); // the tools have no privileges
  mkdirSync(path);
  writeFileSync(log, '');
  chmodSync(log, 0o666);
  for (const tool of tools) {
    const real = run('sh', '-c', `command -v ${tool} || :`).trimEnd();
    const script = `#!/bin/sh\necho ${tool} >>'${log}'\nexec '${real}' "$@"\n`;
    if (real) writeFileSync(join(path, tool), script, { mode: 0o755 });
  }
  return {
    path,
    started: () => readFileSync(log, 'utf8').split('\n').slice(0, -1),
    forget: () => writeFileSync(log, ''),
  };
}

/** What a process printed about itself before it ended. */
export interface Ended {
  readonly addresses: { readonly exported: string; readonly copy: string; readonly main: string };
  readonly pid: number;
  readonly startCode: number;
  readonly maps: string;
  readonly auxv: readonly number[];
}

export function runSelf(path: string): Ended {
  const output = execFileSync(path, { encoding: 'latin1' });
  const [, exported, copy, main, stat, maps, auxv] =
    /^0x(\w+) 0x(\w+) 0x(\w+)\n([^\n]+)\n(.*\n)--\n(.*)$/s.exec(output) as unknown as string[];
  return {
    addresses: { exported: exported as string, copy: copy as string, main: main as string },
    pid: Number.parseInt(stat as string, 10),
    startCode: startCodeIn(stat as string),
    maps: maps as string,
    auxv: wordsOf(Buffer.from(auxv as string, 'latin1')),
  };
}

/** Field 26 of /proc/PID/stat (proc_pid_stat(5)). */
export function startCodeIn(stat: string): number {
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[26 - 3]);
}

/** Of /proc/PID/auxv. */
export function wordsOf(auxv: Buffer): number[] {
  return Array.from({ length: auxv.length / 8 }, (_, i) => Number(auxv.readBigUInt64LE(i * 8)));
}

/** A file as the kernel identifies it: device number, inode, and the names of its path from the file upwards. */
export interface RealFile {
  /** As in /proc/PID/maps. */
  readonly file: string;
  readonly device: number;
  readonly inode: number;
  readonly names: readonly string[];
}

export function realFile(path: string): RealFile {
  const mountPoint = mountPointOf(dirname(path));
  const rows = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  const [, , device, root] = rows.map((row) => row.split(' ')).findLast((row) => row[4] === mountPoint) ?? [];
  const [major, minor] = (device as string).split(':').map(Number) as [number, number];
  const hex = (n: number) => n.toString(16).padStart(2, '0');
  const inside = `${root}/${path.slice(mountPoint.length)}`;
  const inode = statSync(path).ino;
  return {
    file: `${hex(major)}:${hex(minor)} ${inode}`,
    device: major * 2 ** 20 + minor,
    inode,
    names: inside.split('/').filter(Boolean).reverse(),
  };
}

/** The last directory on the way up that is on the same device. */
function mountPointOf(folder: string): string {
  const parent = dirname(folder);
  return parent === folder || statSync(parent).dev !== statSync(folder).dev ? folder : mountPointOf(parent);
}

/** Executable mappings of files and of the vDSO. */
export function codeMappings(maps: string): Mapping[] {
  return parseMaps(maps).filter(({ path }) => path.startsWith('/') || path === '[vdso]');
}

/** A function as printed by nm. */
export interface NmFunction {
  readonly name: string;
  readonly start: number;
  readonly size: number;
}

/** Functions with a size. */
export function functionsOf(path: string, ...options: string[]): NmFunction[] {
  const text = execFileSync('nm', ['-S', '--defined-only', ...options, path], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  return [...text.matchAll(/^([0-9a-f]+) ([0-9a-f]+) [TtWwi] ([^@\n]+)/gm)].map((m) => ({
    start: Number.parseInt(m[1] as string, 16),
    size: Number.parseInt(m[2] as string, 16),
    name: m[3] as string,
  }));
}

/** The file offset of the code at an address, from readelf. */
export function fileOffsets(path: string): (vaddr: number) => number {
  const text = execFileSync('readelf', ['-lW', path], { encoding: 'utf8' });
  const rows = [...text.matchAll(/^ +LOAD +0x(\w+) 0x(\w+) 0x\w+ 0x(\w+) 0x\w+ R E/gm)].map((m) =>
    m.slice(1).map((hex) => Number.parseInt(hex, 16)),
  ) as [number, number, number][];
  return (vaddr) => {
    const row = rows.find(([, start, size]) => start <= vaddr && vaddr < start + size);
    if (!row) throw new Error(`${vaddr.toString(16)} is in no code of ${path}`);
    return vaddr - row[1] + row[0];
  };
}
