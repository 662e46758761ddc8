import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import type { Profile } from '../../metrics/schema.ts';
import {
  BTPROF,
  btprof,
  profile,
  refuses32BitCalls,
  temporaryFile,
  valid,
  validProfile,
  workload,
} from './btprof.ts';

const LAUNCH = resolve('fixtures/workloads/launch.py');
const PORTRAIT = resolve('fixtures/workloads/portrait.py');

describe.concurrent('a command under btprof', () => {
  test('runs although the current directory is gone', async () => {
    const [dir, file] = [temporaryFile('gone'), temporaryFile('p.json')];
    mkdirSync(dir);
    const script = 'cd "$1" && rmdir "$1" && shift && exec "$@"';
    const words = ['sh', dir, BTPROF, 'run', '-q', '--json', '-o', file, '--', '/bin/echo', 'it ran'];
    const { exitCode, stdout, stderr } = await execa('sh', ['-c', script, ...words], { reject: false });
    expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 0, stdout: 'it ran', stderr: '' });
    expect(validProfile(readFileSync(file, 'utf8')).metadata.incomplete).toBe(false);
  });

  test('has the arguments, environment, descriptors, directory, limits and input that it has without btprof', async () => {
    const cwd = temporaryFile("a directory with 'spaces' & *");
    mkdirSync(cwd);
    const { stdout: interpreter } = await execa('python3', ['-c', 'import sys; print(sys.executable)']);
    const file = temporaryFile('p.json');
    const look = async (prefix: readonly string[]) => {
      const words = [LAUNCH, ...prefix, interpreter, PORTRAIT];
      const { stdout } = await execa(interpreter, words, { cwd, input: 'to the\0command\xff' });
      return JSON.parse(stdout);
    };
    const [without, within] = [await look([]), await look([BTPROF, 'run', '--json', '-o', file, '--'])];
    for (const portrait of [without, within]) for (const fd of ['0', '1']) delete portrait.descriptors[fd][0];
    expect(within).toEqual({
      ...without,
      descriptors: pipesRenamed(without, within),
      process_group: expect.anything(),
    });
    expect(Object.keys(within.descriptors)).toEqual(expect.arrayContaining(['3', '4', '11', '12']));
    const { metadata } = validProfile(readFileSync(file, 'utf8'));
    expect(metadata.cmd).toContain('żółw');
  });

  test('shares the jobserver of the make that runs btprof', async () => {
    const dir = temporaryFile('make');
    mkdirSync(dir);
    const inner = 'all: a b c\na b c: ; @sleep 0.1; echo $@\n';
    writeFileSync(join(dir, 'inner.mk'), inner);
    writeFileSync(join(dir, 'Makefile'), `all: ; +@${BTPROF} run -q -o p.txt -- $(MAKE) -f inner.mk\n`);
    const { stdout, stderr } = await execa('make', ['-j3', '--no-print-directory'], { cwd: dir });
    expect(stderr).not.toMatch(/jobserver unavailable/);
    expect(stdout.split('\n').sort()).toEqual(['a', 'b', 'c']);
  });

  test('leaves a pipe on its standard input in blocking mode', async () => {
    const script = 'import os,sys; print(os.get_blocking(0), os.get_blocking(1), os.get_blocking(2))';
    const { stdout } = await btprof(['run', '-q', '-o', '/dev/null', 'python3', '-c', script], {
      input: 'x',
    });
    expect(stdout).toBe('True True True\n');
  });

  test.each([
    ['exit 0', 0],
    ['exit 42', 42],
    ['exit 125', 125],
    ['kill -TERM $$', 143],
    ['kill -INT $$', 130],
    ['kill -KILL $$', 137],
    ['kill -SEGV $$', 139],
  ])('that ends by %s makes btprof exit with %i', async (script, status) => {
    const file = temporaryFile('p.json');
    const outcome = await btprof(['run', '--json', '-o', file, 'sh', '-c', script]);
    expect(outcome).toEqual({ status, stdout: '', stderr: '' });
    const { exit } = validProfile(readFileSync(file, 'utf8')).metadata;
    const signal = script.startsWith('kill') ? `SIG${script.split(' ')[1]?.slice(1)}` : null;
    expect(exit).toEqual({ code: signal ? null : status, signal });
  });

  test('without a first line #! runs as a shell would run it', async () => {
    const script = temporaryFile('script');
    writeFileSync(script, 'echo "$1"; exit 3\n', { mode: 0o755 });
    const outcome = await btprof(['run', '-q', '-o', '/dev/null', script, 'word']);
    expect(outcome).toEqual({ status: 3, stdout: 'word\n', stderr: '' });
  });

  test('whose name contains an equals sign is not taken as an assignment', async () => {
    const script = temporaryFile('A=1');
    writeFileSync(script, '#!/bin/sh\necho ran\n', { mode: 0o755 });
    expect(await btprof(['run', '-q', '-o', '/dev/null', script])).toMatchObject({
      status: 0,
      stdout: 'ran\n',
    });
  });
});

test.concurrent("without -o, the summary goes to stderr, and JSON to stdout after the command's output", async () => {
  const summary = await btprof(['run', 'echo', 'hello']);
  expect(summary.stdout).toBe('hello\n');
  expect(summary.stderr).toMatch(/^btprof: echo hello\n/);
  const json = await btprof(['run', '--json', 'echo', 'hello']);
  expect(json.stderr).toBe('');
  const [first = '', ...rest] = json.stdout.split('\n');
  expect(first).toBe('hello');
  expect(valid<Profile>(rest.join('\n')).metadata.cmd).toEqual(['echo', 'hello']);
});

test.concurrent('a name with commas, quotes, spaces, a newline and non-ASCII letters is unchanged', async () => {
  const name = 'a,"é \'x\n\\';
  const script = `import ctypes; ctypes.CDLL(None).prctl(15, ${JSON.stringify(name)}.encode(), 0, 0, 0)`;
  const { ebpf, metadata } = await profile(['run', 'python3', '-c', script]);
  const names = Object.values(ebpf.syscalls?.by_process ?? {}).map((p) => p.comm);
  expect(names).toContain(name);
  expect(metadata.exit?.code).toBe(0);
});

test('process IDs above 65,535 are complete', async () => {
  const [max, last] = ['/proc/sys/kernel/pid_max', '/proc/sys/kernel/ns_last_pid'];
  const [maxBefore, lastBefore] = [readFileSync(max, 'utf8'), readFileSync(last, 'utf8')];
  writeFileSync(max, '4194304');
  writeFileSync(last, '70001');
  try {
    const { metadata, ebpf } = await profile(['run', 'sh', '-c', ':; true & wait']);
    expect(metadata.pid).toBeGreaterThan(65_535);
    expect(Object.keys(ebpf.syscalls?.by_process ?? {}).every((pid) => Number(pid) > 65_535)).toBe(true);
    expect(metadata.processes).toBeGreaterThanOrEqual(2);
  } finally {
    writeFileSync(last, lastBefore);
    writeFileSync(max, maxBefore);
  }
});

test.concurrent('32-bit calls of a 64-bit kernel are counted separately, by their own names', async ({
  skip,
}) => {
  skip(await refuses32BitCalls(), 'this kernel refuses int $0x80');
  const { ebpf } = await profile(['run', workload('compat')]);
  expect(ebpf.syscalls?.compat_32bit).toEqual({ total: 7, by_syscall: { getpid: { count: 7 } } });
  expect(ebpf.syscalls?.by_syscall.getpid).toEqual({ count: 7 });
  expect(ebpf.syscalls?.by_syscall.writev).toBeUndefined();
});

/** Each run has its own pipe at the descriptors of the jobserver. The kinds and modes must agree. */
function pipesRenamed(without: Portrait, within: Portrait): Portrait['descriptors'] {
  return Object.fromEntries(
    Object.entries(without.descriptors).map(([fd, [link, blocking]]) => {
      const pipe =
        String(link).startsWith('pipe:') && String(within.descriptors[fd]?.[0]).startsWith('pipe:');
      return [fd, [pipe || fd === '2' ? within.descriptors[fd]?.[0] : link, blocking]];
    }),
  );
}

interface Portrait {
  readonly descriptors: Record<string, (string | boolean | undefined)[]>;
}
