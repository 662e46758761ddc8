import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { PROFILERS } from '../../../bt/profilers/profiler-registry.ts';
import { type Profile, schemasOf } from '../../../metrics/schema.ts';
import { cases } from '../../effort.ts';
import { type FakeBpftrace, phasesOf, type Run, replaying } from '../../fake/bpftrace.ts';
import { useCommand } from '../../fake/command.ts';
import { until, untilPrints } from '../../fake/processes.ts';

const PHASES = phasesOf('sleepers-no-stacks');
const SLEEPERS = replaying(PHASES);
const NO_STACKS = ['run', '--no-stacks', '--no-self-measure'];
const COMMAND = ['sh', '-c', 'echo the command ran; exit 3'];
/** Prints that it runs, and then waits to be killed. */
const WAITING = ['sh', '-c', 'echo running; exec sleep 61'];

const command = useCommand({ targets: true });
let fake: FakeBpftrace;
function start(run: Run, words: readonly string[], version?: string) {
  fake = command.replay(run, version);
  return command.start(words);
}

describe('run', () => {
  test('exits with the status of the command, and writes the summary to stderr', async () => {
    const done = await start(SLEEPERS, [...NO_STACKS, ...COMMAND]);
    expect(done).toMatchObject({ exitCode: 3, stdout: 'the command ran\n' });
    expect(done.stderr).toMatch(/^btprof: sh -c .*exit status 3\n.*clock_nanosleep/s);
  });

  test('writes JSON after the output of the command', async () => {
    const { exitCode, stdout, stderr } = await start(SLEEPERS, [...NO_STACKS, '--json', ...COMMAND]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 3, stderr: '' });
    expect(stdout.startsWith('the command ran\n{\n')).toBe(true);
    const profile = readProfile(stdout.slice(stdout.indexOf('{')));
    expect(profile.ebpf.syscalls?.by_syscall.clock_nanosleep).toEqual({ count: 69 });
    expect(profile.metadata).toMatchObject({ incomplete: false, exit: { code: 3, signal: null } });
  });

  test('writes jsonl: metadata, samples that add up, and the profile', async () => {
    const words = ['-f', 'jsonl', '-i', '300ms', 'true'];
    const { exitCode, stdout } = await start(replaying(phasesOf('interval')), [...NO_STACKS, ...words]);
    expect(exitCode).toBe(0);
    const [metadata, ...samples] = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect([metadata.kind, samples.pop().kind]).toEqual(['metadata', 'profile']);
    // The fake prints as fast as it can, so one sample may cover several prints.
    const calls = samples.map(({ ebpf }) => ebpf.syscalls.total);
    expect(calls.reduce((a, b) => a + b)).toBe(124);
  });

  test.each([
    ['profile', 'sleepers-no-stacks', ['--json']],
    ['samples', 'interval', ['-f', 'jsonl']],
  ])('writes a capture that gives the same %s again', async (_, recording, format) => {
    fake = command.replay(replaying(phasesOf(recording)));
    const file = join(fake.dir, 'p.btprof');
    const interval = recording === 'interval' ? ['-i', '300ms'] : [];
    const words = ['run', '--no-self-measure', '-q', '--capture', file, ...interval, ...format, 'true'];
    const run = await command.start(words);
    const report = await command.start(['report', ...format, file]);
    expect(report.stdout).toBe(run.stdout);
  });

  test('stops the collection after --duration, but not the command', async () => {
    const done = await start(SLEEPERS, [...NO_STACKS, '-d', '50ms', 'sh', '-c', 'sleep 0.4; exit 5']);
    expect(done.exitCode).toBe(5);
    expect(done.stderr).toMatch(/exit status 5/);
  });

  test('exits with 125 and a sentence if samples cannot be written, after the command has ended', async () => {
    const fake = command.replay(replaying(phasesOf('interval')));
    const ended = join(fake.dir, 'ended');
    const words = ['-d', '50ms', '-f', 'jsonl', '-i', '300ms', '-o', '/dev/full'];
    const script = 'exec > /dev/null 2>&1; sleep 0.5; echo > "$0"';
    const done = await command.start([...NO_STACKS, ...words, 'sh', '-c', script, ended]);
    expect(existsSync(ended)).toBe(true);
    expect(done).toMatchObject({ exitCode: 125, stdout: '' });
    expect(done.stderr).toMatch(/^btprof: cannot write to "\/dev\/full": ENOSPC/);
  });

  test('exits with 128 plus the signal if the command is killed', async () => {
    const done = await start(SLEEPERS, [...NO_STACKS, 'sh', '-c', 'kill -KILL $$']);
    expect(done.exitCode).toBe(137);
    expect(done.stderr).toMatch(/killed by SIGKILL/);
  });

  test('exits with 127 if the command does not exist, and does not start bpftrace', async () => {
    const done = await start(SLEEPERS, [...NO_STACKS, 'no-such-command']);
    expect(done).toMatchObject({ exitCode: 127, stdout: '' });
    expect(done.stderr).toMatch(/command not found: "no-such-command"/);
    expect(fake.starts()).toEqual([]);
  });
});

describe('run with a failing bpftrace', () => {
  test('exits with 125 and a sentence if it ends before the command runs, which never runs', async () => {
    const run = replaying(PHASES, { at: 'while attaching', steps: [['exit', 7]] });
    const done = await start(run, [...NO_STACKS, ...COMMAND]);
    expect(done).toMatchObject({ exitCode: 125, stdout: '' });
    expect(done.stderr).toMatch(
      /^btprof: bpftrace ended with status 7 before its probes were live: .*\n.*--debug/,
    );
  });

  test('exits with 125, a sentence and an incomplete result if it ends while the command runs', async () => {
    const run = replaying(PHASES, { at: 'once ready', steps: [['kill', 'SIGKILL']] });
    fake = command.replay(run);
    const file = join(fake.dir, 'p.json');
    const done = await command.start([...NO_STACKS, '-q', '--json', '-o', file, ...COMMAND]);
    expect(done).toMatchObject({ exitCode: 125, stdout: 'the command ran\n' });
    expect(done.stderr).toMatch(/^btprof: bpftrace ended by SIGKILL before it printed its maps/);
    expect(readProfile(readFileSync(file, 'utf8')).metadata.incomplete).toBe(true);
  });

  test('exits with 125 and a sentence if the process that waits to become the command is killed', async () => {
    const run = replaying(PHASES, { at: 'while attaching', steps: [['hang', true]] });
    const running = start(run, [...NO_STACKS, ...COMMAND]);
    await until(() => fake.starts().length > 0);
    process.kill(fake.starts()[0]?.target as number, 'SIGKILL');
    const done = await running;
    expect(done).toMatchObject({ exitCode: 125, stdout: '' });
    expect(done.stderr).toMatch(/^btprof: the process that was to become the command ended by SIGKILL: .*\n/);
  });

  // host.test.ts also tests each of these sentences.
  const unusable = cases<[string, string, RegExp]>(
    [['too old', 'echo bpftrace v0.15.0', /bpftrace 0\.15\.0 is too old: btprof needs 0\.16\.0 or newer/]],
    [
      ['no bpftrace at all', 'echo hello', /printed no version number, but "hello"/],
      ['failing', 'echo broken >&2; exit 9', /--version failed: it ended with status 9/],
      ['answering without end', 'exec yes', /--version failed: it printed too much/],
    ],
  );

  test.each(unusable)(
    '%s: exits with 125 and a sentence, and starts nothing',
    async (_, version, sentence) => {
      const done = await start(SLEEPERS, [...NO_STACKS, ...COMMAND], version);
      expect(done).toMatchObject({ exitCode: 125, stdout: '', stderr: expect.stringMatching(sentence) });
      expect(fake.starts()).toEqual([]);
    },
  );

  test('adds a warning to the result if it is newer than the tested versions', async () => {
    const done = await start(SLEEPERS, [...NO_STACKS, ...COMMAND], 'echo bpftrace v0.99.0');
    expect(done.exitCode).toBe(3);
    expect(done.stderr).toMatch(/bpftrace 0\.99\.0 is newer than/);
  });
});

describe('a signal to btprof', () => {
  const signals = cases<[NodeJS.Signals, number]>(
    [['SIGINT', 130]],
    [
      ['SIGTERM', 143],
      ['SIGHUP', 129],
      ['SIGUSR1', 138],
    ],
  );

  test.each(signals)('%s reaches the command, and the result is printed', async (signal, status) => {
    const running = start(SLEEPERS, [...NO_STACKS, ...WAITING]);
    await untilPrints(running.stdout, 'running');
    running.kill(signal);
    const done = await running;
    expect(done.exitCode).toBe(status);
    expect(done.stderr).toMatch(new RegExp(`killed by ${signal}`));
  });

  test('before the command runs ends btprof with status 130, and the command never runs', async () => {
    const run = replaying(PHASES, { at: 'while attaching', steps: [['hang', true]] });
    const running = start(run, [...NO_STACKS, ...COMMAND]);
    await until(() => fake.starts().length > 0);
    running.kill('SIGINT');
    expect(await running).toMatchObject({ exitCode: 130, stdout: '' });
  });

  test('stops at once if it is the second, even if bpftrace hangs and the command ignores it', async () => {
    const run = replaying(PHASES, { at: 'between stop and end', steps: [['hang', true]] });
    const script = 'trap "" TERM; echo running; while [ -d /proc/$PPID ]; do sleep 0.05; done';
    const running = start(run, [...NO_STACKS, 'sh', '-c', script]);
    await untilPrints(running.stdout, 'running');
    running.kill('SIGTERM');
    await until(() => existsSync(fake.requestFile));
    await sleep(250); // two signals in quick succession count as one
    running.kill('SIGTERM');
    const done = await running;
    expect(done.exitCode).toBe(130);
    expect(done.stderr).toMatch(/aborted, no result/);
  });
});

function readProfile(json: string): Profile {
  return schemasOf(PROFILERS).profileSchema.parse(JSON.parse(json));
}
