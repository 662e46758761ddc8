import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import type { Profile } from '../../metrics/schema.ts';
import { untilAsleep } from '../fake/processes.ts';
import { BTPROF, btprof, temporaryFile, valid, validProfile, workload } from './btprof.ts';

/** Runs btprof with a capture. Returns its output and that of `report`. */
async function profileAndReport(
  format: string,
  [command = '', ...args]: readonly string[],
  result = temporaryFile('result'),
) {
  const capture = temporaryFile('run.btprof');
  const live = await btprof([command, '-q', '-f', format, '--capture', capture, '-o', result, ...args]);
  expect({ status: live.status, stderr: live.stderr }).toEqual({ status: 0, stderr: '' });
  const again = await btprof(['report', '-f', format, capture]);
  expect({ status: again.status, stderr: again.stderr }).toEqual({ status: 0, stderr: '' });
  return { live: readFileSync(result, 'utf8'), again: again.stdout, capture };
}

describe.concurrent('report prints what the run printed, byte for byte,', () => {
  test.each([
    ['all profilers', ['-p', 'offcpu,oncpu,syscalls', '--syscall-times', '--lines']],
    ['offcpu', ['-p', 'offcpu', '--idle-match', '^worker$']],
    ['oncpu', ['-p', 'oncpu']],
    ['syscalls', ['-p', 'syscalls']],
    ['no stacks', ['--no-stacks']],
  ])('with %s', async (_, args) => {
    const { live, again } = await profileAndReport('json', ['run', ...args, '--', workload('sleepers')]);
    validProfile(live);
    expect(again).toBe(live);
  });

  test('for attached threads that already ran', async () => {
    const child = execa(workload('deadlock'), { reject: false });
    await untilAsleep(child.pid as number, 3);
    const { live, again } = await profileAndReport('json', ['attach', '-d', '300ms', String(child.pid)]);
    child.kill('SIGKILL');
    expect(valid<Profile>(live).ebpf.offcpu?.still_blocked).toHaveLength(3);
    expect(again).toBe(live);
  });

  test('with samples of intervals', async () => {
    const result = temporaryFile('result');
    const untilTwoSamples = '"$0"; until [ "$(wc -l < "$1")" -ge 3 ]; do sleep 0.05; done';
    const command = ['sh', '-c', untilTwoSamples, workload('sleepers'), result];
    const words = ['run', '-i', '300ms', '-p', 'offcpu,oncpu,syscalls', '--', ...command];
    const { live, again } = await profileAndReport('jsonl', words, result);
    expect(live.trim().split('\n').length).toBeGreaterThanOrEqual(4);
    expect(again).toBe(live);
  });
});

describe.concurrent('a capture', () => {
  test('is readable for any user, without /proc, /sys and PATH', async () => {
    const { live, capture } = await profileAndReport('json', ['run', '-p', 'offcpu', 'sleep', '0.1']);
    const bare =
      'mount -t tmpfs none /proc && mount -t tmpfs none /sys && ' +
      'exec setpriv --reuid=65534 --regid=65534 --clear-groups env -i "$@"';
    const words = ['-m', 'sh', '-c', bare, 'sh', process.execPath, BTPROF, 'report', '--json', '-'];
    const { stdout } = await execa('unshare', words, { inputFile: capture, stripFinalNewline: false });
    expect(stdout).toBe(live);
  });

  test('of a killed run has the prints until then', async () => {
    const capture = temporaryFile('killed.btprof');
    const sleeps = ['timeout', '110', 'sh', '-c', 'while :; do sleep 0.1; done'];
    const args = ['run', '-i', '100ms', '--capture', capture, '-o', '/dev/null', '--', ...sleeps];
    // The command outlives btprof, and would keep a pipe open.
    const child = execa(BTPROF, args, { reject: false, stdio: 'ignore' });
    const hasSleep = async () => (await btprof(['report', '-v', capture])).stdout.includes('clock_nanosleep');
    while (!(await hasSleep())) await sleep(100);
    child.kill('SIGKILL');
    await child;
    const { status, stdout } = await btprof(['report', '--json', capture]);
    const { metadata, quality, ebpf } = validProfile(stdout);
    process.kill(metadata.pid as number);
    expect(status).toBe(0);
    expect(metadata).toMatchObject({ incomplete: true, exit: null });
    expect(quality.warnings).toContain('the capture breaks off: the figures are those of its last print');
    expect(ebpf.offcpu?.total_events).toBeGreaterThan(0);
    expect(ebpf.offcpu?.frames.some(({ symbol }) => symbol === 'clock_nanosleep')).toBe(true);
  });

  test('does not contain the environment', async () => {
    const capture = temporaryFile('secret.btprof');
    await btprof(['run', '-q', '--capture', capture, '-o', '/dev/null', 'sleep', '0.1'], {
      env: { API_TOKEN: 'do-not-keep-me' },
    });
    const { stdout } = await execa('gzip', ['-dc'], { input: readFileSync(capture) });
    expect(stdout).toContain('"cmd":["sleep","0.1"]');
    expect(stdout).not.toContain('do-not-keep-me');
  });

  test('that does not fit on the disk ends with status 125 after the result', async () => {
    const { status, stdout, stderr } = await btprof([
      'run',
      '-q',
      '--json',
      '--capture',
      '/dev/full',
      'true',
    ]);
    validProfile(stdout);
    expect({ status, stderr }).toEqual({
      status: 125,
      stderr: 'btprof: cannot write to "/dev/full": ENOSPC.\nIs the disk full?\n',
    });
  });

  test('that cannot be created is refused before the command starts', async () => {
    const words = ['run', '--capture', '/nowhere/x.btprof', 'sh', '-c', 'echo ran'];
    const { status, stdout, stderr } = await btprof(words);
    expect({ status, stdout }).toEqual({ status: 125, stdout: '' });
    expect(stderr).toBe('btprof: cannot write "/nowhere/x.btprof": ENOENT.\nDoes the directory exist?\n');
  });
});
