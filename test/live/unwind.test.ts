import { chmodSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dialectFor } from '../../bt/dialect.ts';
import type { Offcpu } from '../../bt/profilers/offcpu/off-schema.ts';
import type { Profile } from '../../metrics/schema.ts';
import { untilForked, untilPrints } from '../fake/processes.ts';
import {
  BTPROF,
  bpftraceThat,
  btprof,
  profile,
  symbols,
  temporaryFile,
  valid,
  validProfile,
} from './btprof.ts';

const dialect = dialectFor((await execa('bpftrace', ['--version'])).stdout);
const able = process.arch === 'x64' && dialect.unwindsDwarf;
const CHAIN = ['inner', 'middle', 'outer', 'main'];

/** A program that is compiled without frame pointers. */
let running: { pid: number; kill: () => void };
let program: string;

beforeAll(async () => {
  program = temporaryFile('program');
  await execa('gcc', ['-O2', '-fomit-frame-pointer', '-o', program, 'fixtures/workloads/chain.c']);
  const child = execa(program, ['300000', '10'], { reject: false });
  running = { pid: child.pid as number, kill: () => child.kill('SIGKILL') };
});
afterAll(() => running.kill());

function attach(...options: string[]): Promise<Profile> {
  return profile(['attach', '-d', '1s', ...options, String(running.pid)]);
}

/** The stopped child of a process, once there is one. */
async function heldChild(parent: number): Promise<number> {
  for (;;) {
    const children = readIfThere(`/proc/${parent}/task/${parent}/children`)
      .split(' ')
      .filter(Boolean)
      .map(Number);
    const held = children.find((pid) => /^State:\s+T/m.test(readIfThere(`/proc/${pid}/status`)));
    if (held !== undefined) return held;
    await sleep(10);
  }
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** A program without libraries that sleeps and exits. */
const ALONE = `
static long call(long number, long a, long b) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b) : "rcx", "r11", "memory");
  return result;
}
void _start(void) {
  long time[2] = {0, 50000000};
  call(35, (long)time, 0);
  call(231, 0, 0);
}`;

/** The stack with the longest waiting time. */
function longest(offcpu: Offcpu | undefined) {
  const [stack] = offcpu?.stacks.filter((s) => !s.since_start) ?? [];
  return { chain: symbols(offcpu, stack?.user), incomplete: stack?.user_incomplete };
}

test('unwinding by frame pointers misses callers, and the result says so', async () => {
  const { ebpf, quality } = await attach();
  expect(longest(ebpf.offcpu).chain).not.toEqual(expect.arrayContaining(CHAIN));
  expect(longest(ebpf.offcpu).incomplete).toBe(true);
  // The wait in progress at the start has its stack from /proc.
  const cut = ebpf.offcpu?.stacks.filter((row) => row.user_incomplete && !row.since_start) ?? [];
  const waits = cut.reduce((sum, { count }) => sum + count, 0);
  expect(waits).toBeGreaterThan(1);
  expect(quality.stacks_incomplete).toBe(waits);
  expect(quality.hints.join()).toMatch(able ? /--unwind dwarf finds them/ : /stacks that lack callers/);
});

describe.runIf(able)('if bpftrace can unwind by DWARF', { concurrent: true }, () => {
  test.each(['dwarf', 'auto'])('attach --unwind %s finds all callers', async (unwinder) => {
    const { ebpf, quality } = await attach('--unwind', unwinder);
    const { chain, incomplete } = longest(ebpf.offcpu);
    expect(chain.slice(0, 4)).toEqual(CHAIN);
    expect(chain.at(-1)).toBe('_start');
    expect(incomplete).toBe(false);
    expect(quality).toMatchObject({ kernel_errors: 0, stacks_missing: 0, warnings: [] });
  });

  test.each(['dwarf', 'auto'])(
    'run --unwind %s finds all callers, and has the same counts as run without it',
    async (unwinder) => {
      const [held, plain] = [
        await profile(['run', '--unwind', unwinder, program, '17', '10']),
        await profile(['run', program, '17', '10']),
      ];
      const { chain, incomplete } = longest(held.ebpf.offcpu);
      expect(chain.slice(0, 4)).toEqual(CHAIN);
      expect(chain.at(-1)).toBe('_start');
      expect(incomplete).toBe(false);
      expect(held.ebpf.syscalls?.by_syscall).toEqual(plain.ebpf.syscalls?.by_syscall);
      expect(held.ebpf.offcpu?.stacks[0]?.count).toBe(17);
      expect(held.metadata).toMatchObject({ processes: 1, threads: 1, exit: { code: 0, signal: null } });
      // The time for which the command was held is not part of its own time.
      expect(held.metadata.wall_time_ns).toBeLessThan(plain.metadata.wall_time_ns * 2);
      expect(held.ebpf.offcpu?.stacks.map(({ state }) => state)).not.toContain('T');
      expect(held.quality).toMatchObject({ kernel_errors: 0, stacks_missing: 0, warnings: [] });
    },
  );

  test('run --unwind auto does not hold a program that has frame pointers, and prints no warning', async () => {
    const alone = temporaryFile('alone');
    const flags = ['-nostdlib', '-static', '-O1', '-fno-omit-frame-pointer', '-x', 'c', '-'];
    await execa('gcc', ['-o', alone, ...flags], { input: ALONE });
    const { ebpf, quality, metadata } = await profile(['run', '--unwind', 'auto', alone]);
    expect(ebpf.syscalls?.by_syscall).toEqual({
      nanosleep: { count: 1 },
      exit_group: { count: 1 },
    });
    expect(metadata.exit).toEqual({ code: 0, signal: null });
    expect(quality.warnings).toEqual([]);
  });

  test('run --unwind dwarf leaves input, output and status to a script', async () => {
    const script = temporaryFile('script');
    writeFileSync(script, '#!/bin/sh\nread line; echo "<$line>"; sleep 0.05; exit 7\n', { mode: 0o755 });
    const args = ['run', '--unwind', 'dwarf', '-q', '-o', '/dev/null', script];
    const { status, stdout, stderr } = await btprof(args, { input: 'a word\n' });
    expect({ status, stdout, stderr }).toEqual({ status: 7, stdout: '<a word>\n', stderr: '' });
  });

  test('the overhead does not include events of other processes while the command is held', async () => {
    const other = execa('dd', ['if=/dev/zero', 'of=/dev/null', 'bs=1'], { reject: false });
    const { quality } = await profile(['run', '--unwind', 'dwarf', program, '1', '1']);
    other.kill('SIGKILL');
    expect(quality.overhead?.cpu_share).toBeGreaterThan(0);
    expect(quality.overhead?.cpu_share).toBeLessThan(cpus().length);
  });

  test('a held command continues when btprof is killed', async () => {
    const file = temporaryFile('done');
    const command = ['sh', '-c', 'echo $$ > "$0"; sleep 0.1; echo done >> "$0"', file];
    const killed = execa(BTPROF, ['run', '--unwind', 'dwarf', ...command], { reject: false });
    const pid = await heldChild(killed.pid as number);
    process.kill(killed.pid as number, 'SIGKILL');
    await killed;
    while (!readIfThere(file).includes('done')) await sleep(50);
    expect(readIfThere(file)).toBe(`${pid}\ndone\n`);
  });

  test('a command killed while held exits with its own status', async () => {
    const killed = execa(BTPROF, ['run', '--unwind', 'dwarf', '-q', '-o', '/dev/null', program, '9', '9'], {
      reject: false,
    });
    process.kill(await heldChild(killed.pid as number), 'SIGKILL');
    expect((await killed).exitCode).toBe(137);
  });

  test('a command runs to its end even if the second bpftrace cannot start', async () => {
    const [file, json] = [temporaryFile('done'), temporaryFile('p.json')];
    const broken = bpftraceThat('case "$*" in *--dwarf-pid*) echo no >&2; exit 3;; esac; exec bpftrace "$@"');
    const command = ['sh', '-c', 'sleep 0.2; echo done > "$0"', file];
    const args = ['run', '--unwind', 'dwarf', '--json', '-o', json, '--bpftrace', broken, ...command];
    const { status, stderr } = await btprof(args);
    expect({ status, done: readIfThere(file) }).toEqual({ status: 125, done: 'done\n' });
    expect(stderr).toMatch(/bpftrace ended with status 3/);
    expect(valid<Profile>(readFileSync(json, 'utf8')).metadata.incomplete).toBe(true);
  });

  test('run --unwind dwarf refuses a path that bpftrace would misread', async () => {
    const odd = temporaryFile('a {program}');
    copyFileSync(program, odd);
    chmodSync(odd, 0o755);
    const { status, stdout, stderr } = await btprof(['run', '--unwind', 'dwarf', odd, '1', '1']);
    expect({ status, stdout }).toEqual({ status: 125, stdout: '' });
    expect(stderr).toContain('its path has characters that bpftrace would misread');
  });

  test('children, whose unwind tables are unknown, are unwound by frame pointers', async () => {
    const shell = execa('sh', ['-c', 'while :; do sleep 0.05; done'], { reject: false });
    const file = temporaryFile('p.json');
    const args = ['attach', '--unwind', 'dwarf', '--json', '-o', file, String(shell.pid)];
    const collecting = execa(BTPROF, args);
    await untilPrints(collecting.stderr, 'Ctrl-C to stop');
    await untilForked(shell.pid as number, 5);
    collecting.kill('SIGINT');
    await collecting;
    shell.kill('SIGKILL');
    const { ebpf, quality } = validProfile(readFileSync(file, 'utf8'));
    const pids = new Set(ebpf.offcpu?.stacks.map(({ pid }) => pid));
    expect(pids.size).toBeGreaterThan(2);
    expect(quality).toMatchObject({ kernel_errors: 0, warnings: [] });
  });
});

describe.runIf(!able)('if bpftrace cannot unwind by DWARF', () => {
  test('--unwind dwarf is refused with its requirements', async () => {
    const { status, stderr } = await btprof(['attach', '--unwind', 'dwarf', String(running.pid)]);
    expect(status).toBe(125);
    expect(stderr).toContain(
      process.arch === 'x64'
        ? `--unwind dwarf needs bpftrace 0.26 or newer, and this is ${dialect.version}.`
        : '--unwind dwarf needs x86_64',
    );
  });

  test('--unwind auto unwinds by frame pointers', async () => {
    const { ebpf } = await attach('--unwind', 'auto');
    expect(longest(ebpf.offcpu).incomplete).toBe(true);
  });
});
