import { readdirSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stripVTControlCharacters as plainOf } from 'node:util';
import { execa } from 'execa';
import { afterAll, describe, expect, test } from 'vitest';
import type { MetadataLine } from '../../metrics/metadata-schema.ts';
import type { Profile, Sample } from '../../metrics/schema.ts';
import {
  BTPROF,
  bpftraceThat,
  btprof,
  countsOf,
  profile,
  sum,
  temporaryFile,
  valid,
  validProfile,
  workload,
} from './btprof.ts';

const TERMINAL = resolve('fixtures/workloads/terminal.py');
/** Presses Ctrl-C or Enter, or hangs up, this many seconds after the terminal has shown a text. */
type Step = [shown: string, seconds: number, action: 'interrupt' | 'enter' | 'hang up'];
/** Text that the command shows once it runs. */
const READY = 'ready-to-be-stopped';
const INTERRUPT: Step = [READY, 0.5, 'interrupt'];
const IGNORE = 'trap "" INT';

/** Runs btprof on a terminal. */
async function onTerminal(steps: readonly Step[], args: readonly string[]) {
  const words = [TERMINAL, JSON.stringify(steps), BTPROF, ...args];
  const done = await execa('python3', words, { reject: false, stdin: 'ignore', timeout: 60_000 });
  expect(done.timedOut).toBe(false);
  return { status: done.exitCode, screen: plainOf(done.stdout).replaceAll('\r\n', '\n') };
}

/** Prints READY in two parts, so that the command line itself does not contain it. */
const SAY_READY = `printf "%s%s\\n" ${READY.slice(0, 5)} ${READY.slice(5)}`;

/** A shell command that prints READY after `first`, and then runs the script. */
function readyThen(script: string, first = ':'): string[] {
  return ['sh', '-c', `${first}; ${SAY_READY}; ${script}`];
}

/** A shell that becomes a sleep. A child prints READY once the sleep is in its system call. */
function sleepThatIsReady(seconds: string): string[] {
  const asleep = 'until grep -q nanosleep /proc/$$/wchan; do sleep 0.01; done';
  return ['sh', '-c', `(${asleep}; ${SAY_READY}) & exec sleep ${seconds}`];
}

/** A bpftrace that starts two seconds late, so that there is time before the command runs. */
function slowBpftrace(): string {
  return bpftraceThat('[ "$1" = --version ] || sleep 2\nexec bpftrace "$@"');
}

/** Command lines of all processes that contain the word, except ours. */
function processesWith(word: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((pid) => read(`/proc/${pid}/cmdline`).replaceAll('\0', ' '))
    .filter((line) => line.includes(word));
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** Waits until some process has this command line. */
async function untilRuns(command: readonly string[]): Promise<void> {
  const line = command.join(' ');
  while (!processesWith(line).some((other) => other.startsWith(line))) await sleep(50);
}

/** Names of all processes, including exiting ones that have no command line any more. */
function processNames(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => read(`/proc/${pid}/comm`).trim());
}

/** Processes that btprof starts besides the command. The kernel cuts names at 15 bytes. */
const OURS = ['bpftrace', 'btprof-bpf-stat', 'btprof-hold'];

/** Expects no process with this mark in its command line. `expectNothingLeft` checks the processes that btprof starts. */
function expectNoneWith(mark: string): Promise<void> {
  return expectNone(() => processesWith(mark));
}

/** Waits, because the kernel takes a while to remove the probes of a killed bpftrace. */
async function expectNone(left: () => string[]): Promise<void> {
  for (let i = 0; i < 300 && left().length > 0; i++) await sleep(100);
  expect(left()).toEqual([]);
}

/** Expects that no process of btprof is left on this machine. No other test may run meanwhile. */
function expectNothingLeft(): Promise<void> {
  return expectNone(() => processNames().filter((comm) => OURS.includes(comm)));
}
afterAll(expectNothingLeft);

describe.concurrent('Ctrl-C on a terminal', () => {
  test('reaches the command, and btprof prints the result', async () => {
    const { status, screen } = await onTerminal([INTERRUPT], ['run', ...sleepThatIsReady('61.01')]);
    expect(status).toBe(130);
    expect(screen).toMatch(/btprof: sh -c .*\n.*killed by SIGINT/);
    expect(screen).toMatch(/do_nanosleep/);
    await expectNoneWith('61.01');
  });

  test('is handled by a command that traps it, and btprof exits with its status', async () => {
    const command = readyThen('while :; do sleep 0.1; done', 'trap "echo bye; exit 3" INT');
    const { status, screen } = await onTerminal([INTERRUPT], ['run', ...command]);
    expect(status).toBe(3);
    expect(screen).toMatch(/bye\n.*exit status 3/s);
  });

  test('prints the result of a command that ignores it, and then waits for its end', async () => {
    const steps: Step[] = [INTERRUPT, ['waiting for it', 0, 'enter']];
    const command = readyThen('sleep 61.03 & read line; kill $!; exit 7', IGNORE);
    const { status, screen } = await onTerminal(steps, ['run', ...command]);
    expect(status).toBe(7);
    expect(screen).toMatch(/threads? still off the CPU at the end.*is still running; waiting for it/s);
  });

  test('pressed twice stops at once', async () => {
    const steps: Step[] = [INTERRUPT, ['', 0.3, 'interrupt']];
    const { status, screen } = await onTerminal(steps, ['run', ...readyThen('sleep 61.06', IGNORE)]);
    expect(status).toBe(130);
    expect(screen).toMatch(/aborted, no result/);
    expect(screen).not.toMatch(/Off-CPU/);
    await expectNoneWith('61.06');
  });

  test.each([[0.02], [0.2], [0.5]])(
    '%f s after the start, before the command runs, ends everything',
    async (seconds) => {
      const { status, screen } = await onTerminal(
        [['', seconds, 'interrupt']],
        ['run', '-q', '--bpftrace', slowBpftrace(), 'sh', '-c', 'echo started; sleep 61.02'],
      );
      expect(status).toBe(130);
      expect(screen).not.toMatch(/started|Off-CPU/);
      await expectNoneWith('61.02');
    },
  );

  test.each([
    ['system', []],
    ['attach', [String(process.pid)]],
  ])('%s writes its result and ends with status 0 when the terminal goes away', async (mode, pids) => {
    const file = temporaryFile('p.json');
    const { status } = await onTerminal(
      [['collecting', 0.5, 'hang up']],
      [mode, '--json', '-o', file, ...pids],
    );
    expect(status).toBe(0);
    expect(validProfile(read(file)).metadata).toMatchObject({ mode, incomplete: false });
  });

  test('ends system with the result and status 0', async () => {
    const { status, screen } = await onTerminal([['collecting', 0.5, 'interrupt']], ['system']);
    expect(status).toBe(0);
    expect(screen).toMatch(/collecting; press Ctrl-C to stop\n.*btprof: the whole machine\n/s);
  });
});

describe.concurrent('without a terminal', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
    ['SIGUSR1', 138],
  ] as const)('%s to btprof reaches the command', async (signal, status) => {
    const file = temporaryFile('p.json');
    const command = ['sleep', `61.${status}`];
    const child = execa('setsid', ['-w', BTPROF, 'run', '--json', '-o', file, ...command], { reject: false });
    await untilRuns(command);
    const line = readdirSync('/proc').find((pid) =>
      read(`/proc/${pid}/cmdline`).includes(`btprof.mjs\0run\0--json\0-o\0${file}`),
    );
    process.kill(Number(line), signal);
    expect((await child).exitCode).toBe(status);
    expect(validProfile(readFileSync(file, 'utf8')).metadata.exit).toEqual({ code: null, signal });
  });
});

describe.concurrent('a terminal that hangs up', () => {
  test.each([
    ['run', READY, ['run', '-q', ...readyThen('sleep 61.04')]],
    ['system', 'collecting', ['system']],
  ])('ends %s and leaves nothing behind', async (_, shown, args) => {
    await onTerminal([[shown, 0.5, 'hang up']], args);
    await expectNoneWith('61.04');
  });
});

test('neither success nor failure leaves a process, file or mount', async () => {
  const TMPDIR = dirname(temporaryFile('none'));
  const mounts = read('/proc/self/mounts');
  await profile(['run', 'sleep', '0.01'], { env: { TMPDIR } });
  for (const words of [
    ['run', 'no-such-command'],
    ['attach', '4194303'],
    ['run', '--bpftrace', '/bin/false', 'true'],
  ])
    await btprof(words, { env: { TMPDIR } });
  expect({ files: readdirSync(TMPDIR), mounts: read('/proc/self/mounts') }).toEqual({ files: [], mounts });
  await expectNoneWith('sleep 0.01');
  await expectNothingLeft();
});

test.concurrent('timeout sends its signal twice, and the result is still printed', async () => {
  const file = temporaryFile('p.json');
  const timeout = execa('timeout', ['60', BTPROF, 'run', '--json', '-o', file, 'sleep', '61.05'], {
    reject: false,
  });
  await untilRuns(['sleep', '61.05']);
  timeout.kill('SIGTERM'); // timeout forwards it to btprof and to its process group, as it does on expiry
  expect((await timeout).exitCode).toBe(143);
  for (let i = 0; i < 300 && !read(file).endsWith('}\n'); i++) await sleep(100);
  expect(validProfile(read(file)).metadata.exit).toEqual({ code: null, signal: 'SIGTERM' });
});

describe('kill -9 of btprof', () => {
  test.each([
    ['before the command runs', () => processesWith('btprof-hold').length === 1],
    ['while it runs', () => processesWith('sleep 5.07').some((line) => line.startsWith('sleep'))],
  ])('%s leaves neither bpftrace nor a held process', async (_, arrived) => {
    const words = ['run', '-q', '--bpftrace', slowBpftrace(), 'sleep', '5.07'];
    const child = execa(BTPROF, words, { reject: false, stdio: 'ignore' });
    while (!arrived()) await sleep(20);
    child.kill('SIGKILL');
    await child;
    for (let i = 0; i < 200 && processNames().includes('bpftrace'); i++) await sleep(100);
    expect(processNames()).not.toContain('bpftrace');
    expect(processesWith('btprof-hold')).toEqual([]);
    await expectNothingLeft();
    await expectNoneWith('sleep 5.07'); // the command belongs to the user, and runs to its end
  });
});

test('concurrent profiles do not disturb each other', async () => {
  const [run, system] = await Promise.all([
    profile(['run', workload('sleepers')]),
    profile(['system', '-d', '1500ms']),
    profile(['run', '-p', 'syscalls', workload('forks')]),
  ]);
  expect(run.ebpf.offcpu?.by_reason.sleep?.count).toBe(69);
  expect(countsOf(run.ebpf.syscalls)).toMatchObject({ clock_nanosleep: 69, write: 1 });
  expect(system.ebpf.syscalls?.total).toBeGreaterThan(0);
});

test.concurrent('jsonl has metadata, samples of intervals, and a profile that is their sum', async () => {
  const file = temporaryFile('p.jsonl');
  const script =
    'for i in $(seq 23); do sleep 0.1; done; until [ "$(wc -l < "$0")" -gt 4 ]; do sleep 0.1; done';
  await btprof(['run', '-f', 'jsonl', '-i', '200ms', '-o', file, 'sh', '-c', script, file]);
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  const [metadata, ...rest] = lines.map((line) => valid<MetadataLine | Sample | Profile>(line));
  const samples = rest.filter((line): line is Sample => line.kind === 'sample');
  const result = validProfile(lines.at(-1) ?? '');
  expect(metadata).toMatchObject({
    kind: 'metadata',
    cmd: ['sh', '-c', script, file],
    pid: result.metadata.pid,
  });
  // On a busy machine a sample may cover several intervals, so the command runs until there are enough.
  expect(samples.length).toBeGreaterThanOrEqual(3);
  expect(rest.length).toBe(samples.length + 1);
  const sampled = sum(samples.map((s) => s.ebpf.syscalls?.total ?? 0));
  expect(sampled).toBeLessThanOrEqual(result.ebpf.syscalls?.total ?? 0);
  expect(sampled).toBeGreaterThan(0.5 * (result.ebpf.syscalls?.total ?? 0));
  for (const sample of samples)
    expect(sum(sample.ebpf.offcpu?.stacks.map((s) => s.time_ns) ?? [])).toBe(
      sample.ebpf.offcpu?.total_time_ns,
    );
});

test.concurrent('--duration ends the collection but not the command', async () => {
  const file = temporaryFile('p.json');
  // The command ends when the result exists, so a collection that lasted until then would never end.
  const script = 'until [ -s "$0" ]; do sleep 0.1; done; echo end; exit 5';
  const args = ['run', '--json', '-d', '500ms', '-o', file, 'sh', '-c', script, file];
  const { status, stdout } = await btprof(args);
  expect({ status, stdout }).toEqual({ status: 5, stdout: 'end\n' });
  const { metadata } = validProfile(readFileSync(file, 'utf8'));
  expect(metadata.exit).toBeNull();
  expect(metadata.wall_time_ns).toBeGreaterThanOrEqual(498e6); // a timer may be early
});

test.concurrent('a result on stdout waits for the end of a command that outlives --duration', async () => {
  const script = 'echo first; sleep 2; echo last; exit 5';
  const { status, stdout } = await btprof(['run', '--json', '-d', '500ms', 'sh', '-c', script]);
  expect(status).toBe(5);
  expect(stdout).toMatch(/^first\nlast\n\{\n/);
  const { metadata } = validProfile(stdout.slice('first\nlast\n'.length));
  expect(metadata.exit).toEqual({ code: 5, signal: null });
  expect(metadata.wall_time_ns).toBeLessThan(2e9);
});
