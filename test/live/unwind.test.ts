import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { dialectFor } from '../../bt/dialect.ts';
import type { Offcpu, Profile } from '../../metrics/schema.ts';
import { btprof, profile, symbols, temporaryFile } from './btprof.ts';

const dialect = dialectFor((await execa('bpftrace', ['--version'])).stdout);
const able = process.arch === 'x64' && dialect.unwindsDwarf;
const CHAIN = ['inner', 'middle', 'outer', 'main'];

/** A program whose functions keep no frame pointers, but for the innermost. */
let running: { pid: number; kill: () => void };

beforeEach(async () => {
  const program = temporaryFile('program');
  await execa('gcc', ['-O2', '-fomit-frame-pointer', '-o', program, 'fixtures/workloads/chain.c']);
  const child = execa(program, ['3000', '10'], { reject: false });
  running = { pid: child.pid as number, kill: () => child.kill('SIGKILL') };
});
afterEach(() => running.kill());

function attach(...options: string[]): Promise<Profile> {
  return profile(['attach', '-d', '1s', ...options, String(running.pid)]);
}

/** Of the stack with most of the waiting time. */
function longest(offcpu: Offcpu | undefined) {
  const [stack] = offcpu?.stacks.filter((s) => !s.since_start) ?? [];
  return { chain: symbols(offcpu, stack?.user), incomplete: stack?.user_incomplete };
}

test('by frame pointers callers are missing, which is said', async () => {
  const { ebpf, quality } = await attach();
  expect(longest(ebpf.offcpu).chain).not.toEqual(expect.arrayContaining(CHAIN));
  expect(longest(ebpf.offcpu).incomplete).toBe(true);
  expect(quality.stacks_incomplete).toBeGreaterThan(50);
  expect(quality.hints.join()).toMatch(able ? /--unwind dwarf finds them/ : /stacks that lack callers/);
});

describe.runIf(able)('where bpftrace unwinds by DWARF', () => {
  test.each(['dwarf', 'auto'])('--unwind %s finds them all', async (unwinder) => {
    const { ebpf, quality } = await attach('--unwind', unwinder);
    const { chain, incomplete } = longest(ebpf.offcpu);
    expect(chain.slice(0, 4)).toEqual(CHAIN);
    expect(chain.at(-1)).toBe('_start');
    expect(incomplete).toBe(false);
    expect(quality).toMatchObject({ kernel_errors: 0, stacks_missing: 0, warnings: [] });
  });

  test('children, whose tables are not known, are unwound by frame pointers', async () => {
    const file = temporaryFile('go');
    const script = `while [ ! -e "$0" ]; do sleep 0.05; done; exec sleep 1`;
    const shell = execa('sh', ['-c', script, file], { reject: false });
    const { ebpf, quality } = await profile(['attach', '-d', '1s', '--unwind', 'dwarf', String(shell.pid)]);
    shell.kill('SIGKILL');
    const pids = new Set(ebpf.offcpu?.stacks.map(({ pid }) => pid));
    expect(pids.size).toBeGreaterThan(2);
    expect(quality).toMatchObject({ kernel_errors: 0, warnings: [] });
  });
});

describe.runIf(!able)('where bpftrace does not', () => {
  test('--unwind dwarf is refused with what it needs', async () => {
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
