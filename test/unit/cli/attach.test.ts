import { execFileSync } from 'node:child_process';
import { constants, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { PROFILERS } from '../../../bt/profilers/profiler-registry.ts';
import { type Profile, schemasOf } from '../../../metrics/schema.ts';
import { type FakeBpftrace, phasesOf, type Run, replaying, type Step } from '../../fake/bpftrace.ts';
import { useCommand } from '../../fake/command.ts';
import { stateOf, until, untilPrints } from '../../fake/processes.ts';

const PHASES = phasesOf('sleepers-no-stacks');
const OPTIONS = ['--no-stacks', '--no-self-measure'];

const command = useCommand();
let fake: FakeBpftrace;
function start(run: Run, words: readonly string[], version?: string) {
  fake = command.replay(run, version);
  return command.start(words);
}

/** A process to attach to, which ends with its test. */
function startSleep() {
  const child = execa('sleep', ['61'], { reject: false });
  return { pid: child.pid as number, end: () => child.kill('SIGKILL') };
}

describe('attach', () => {
  test('ends with the process, with the result and status 0', async () => {
    const { pid, end } = startSleep();
    const attached = start({ ...replaying(PHASES), pid }, ['attach', ...OPTIONS, '--json', String(pid)]);
    await untilPrints(attached.stderr, 'collecting');
    end();
    const { exitCode, stdout } = await attached;
    expect(exitCode).toBe(0);
    const { metadata, ebpf } = readProfile(stdout);
    expect(metadata).toMatchObject({ mode: 'attach', pids: [pid], incomplete: false });
    expect(ebpf.syscalls?.by_syscall.clock_nanosleep).toEqual({ count: 69 });
  });

  test('ends at Ctrl-C with the result and status 0, and does not end the process; SIGUSR1 starts no debugger', async () => {
    const { pid, end } = startSleep();
    const attached = start({ ...replaying(PHASES), pid }, ['attach', ...OPTIONS, String(pid)]);
    await untilPrints(attached.stderr, 'collecting');
    attached.kill('SIGUSR1');
    attached.kill('SIGINT');
    const { exitCode, stdout, stderr } = await attached;
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/clock_nanosleep/);
    expect(stderr).not.toMatch(/debugger/i);
    expect(stateOf(pid)).toBe('S');
    end();
  });

  test('ends at Ctrl-C while its result waits for a reader', async () => {
    const { pid, end } = startSleep();
    // It ends by itself, as a real one does when btprof is gone.
    const { steps, ...run } = replaying(PHASES);
    fake = command.replay({ ...run, pid, steps: steps.slice(0, -1) });
    const pipe = join(fake.dir, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const reader = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
    // A page is larger than a pipe, and after its first byte nobody reads any more.
    const attached = command.start(['attach', ...OPTIONS, '-f', 'flamegraph', '-o', pipe, String(pid)]);
    await untilPrints(attached.stderr, 'collecting');
    attached.kill('SIGINT');
    await until(() => hasByte(reader));
    attached.kill('SIGINT');
    expect(await attached).toMatchObject({ signal: 'SIGINT' });
    end();
  });

  test('ends with status 0 if nobody reads the samples any more', async () => {
    const { pid, end } = startSleep();
    const { events, ...phases } = phasesOf('interval');
    const print = events.findIndex((line) => line.includes('["tick"'));
    const beginning = replaying({ ...phases, events: events.slice(0, print) });
    const request = beginning.steps.findIndex(([step, what]) => step === 'until' && what === 'requested');
    const prints = events.slice(print).flatMap((line): Step[] => [
      ['sleep', line.includes('["tick"') ? 300 : 0],
      ['lines', [line]],
    ]);
    const steps = beginning.steps.toSpliced(request, 0, ...prints);
    const run = { ...beginning, pid, steps };
    const attached = start(run, ['attach', ...OPTIONS, '-f', 'jsonl', '-i', '300ms', String(pid)]);
    attached.stdout.once('data', () => attached.stdout.destroy());
    expect((await attached).exitCode).toBe(0);
    end();
  });

  test('reports a bpftrace that dies, with an incomplete result and status 125, and does not end the process', async () => {
    const { pid, end } = startSleep();
    const run = replaying(PHASES, { at: 'once ready', steps: [['kill', 'SIGSEGV']] });
    const done = await start({ ...run, pid }, ['attach', ...OPTIONS, '-q', '--json', String(pid)]);
    expect(done.exitCode).toBe(125);
    expect(done.stderr).toMatch(/^btprof: bpftrace ended by SIGSEGV before it printed its maps/);
    expect(readProfile(done.stdout).metadata.incomplete).toBe(true);
    expect(stateOf(pid)).toBe('S');
    end();
  });

  test.each([
    ['no such process', () => 4194304, /there is no process 4194304\./],
    ['a thread', () => threadOf(process.pid), /is a thread of process \d+\.\nType: btprof attach \d+/],
  ])('%s: is reported, and bpftrace is not started', async (_, pid, sentence) => {
    const done = await start(replaying(PHASES), ['attach', ...OPTIONS, String(pid())]);
    expect(done).toMatchObject({ exitCode: 125, stdout: '', stderr: expect.stringMatching(sentence) });
    expect(fake.starts()).toEqual([]);
  });
});

/** A thread other than the main thread. */
function threadOf(pid: number): number {
  return Number(readdirSync(`/proc/${pid}/task`).findLast((tid) => Number(tid) !== pid));
}

describe('system', () => {
  test('ends after --duration, with the result and status 0', async () => {
    const done = await start({ ...replaying(PHASES), pid: process.pid }, [
      'system',
      ...OPTIONS,
      '-d',
      '50ms',
    ]);
    expect(done.exitCode).toBe(0);
    expect(done.stdout).toMatch(/^btprof: the whole machine\n.*clock_nanosleep/s);
  });

  test('ends with status 130 at Ctrl-C if bpftrace never becomes ready', async () => {
    const run = replaying(PHASES, { at: 'while attaching', steps: [['hang', true]] });
    const running = start({ ...run, pid: process.pid }, ['system', ...OPTIONS]);
    await until(() => fake.starts().length > 0);
    running.kill('SIGINT');
    expect(await running).toMatchObject({ exitCode: 130, stdout: '' });
  });
});

describe('script', () => {
  test('prints the program for the installed bpftrace, and only asks that for its version', async () => {
    const done = await start(replaying(PHASES), ['script', 'syscalls'], 'echo bpftrace v0.23.4');
    expect(done).toMatchObject({ exitCode: 0, stderr: '' });
    expect(done.stdout).toMatch(
      /Written by btprof for bpftrace 0\.23\.4\..*tracepoint:raw_syscalls:sys_enter/s,
    );
    expect(fake.starts()).toEqual([]);
  });

  test('prints the program for the oldest version without bpftrace, and says so', async () => {
    const done = await start(replaying(PHASES), ['script', 'syscalls'], 'exit 9');
    expect(done.exitCode).toBe(0);
    expect(done.stdout).toMatch(/for bpftrace 0\.16\.0\./);
    expect(done.stderr).toMatch(/--version failed: it ended with status 9\. .*0\.16/);
  });
});

function readProfile(json: string): Profile {
  return schemasOf(PROFILERS).profileSchema.parse(JSON.parse(json));
}

/** Reads a byte of a pipe, if there is one. */
function hasByte(fd: number): boolean {
  try {
    return readSync(fd, Buffer.alloc(1)) > 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return false;
    throw error;
  }
}
