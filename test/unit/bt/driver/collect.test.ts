import { afterEach, describe, expect, test } from 'vitest';
import { cases } from '../../../effort.ts';
import {
  type FakeBpftrace,
  fakeBpftrace,
  MOMENTS,
  type Moment,
  phasesOf,
  type Run,
  replaying,
  type Step,
} from '../../../fake/bpftrace.ts';
import { collectAttached, collectRun, hold } from '../../../fake/collecting.ts';
import { removeEnded, until } from '../../../fake/processes.ts';

const PHASES = phasesOf('sleepers-no-stacks');
const BEFORE_READY: readonly Moment[] = ['before any output', 'while attaching'];
const PRINTING: readonly Moment[] = ['between stop and end', 'in the middle of a map'];
const AFTER_READY = MOMENTS.filter((moment) => !BEFORE_READY.includes(moment));
/** Its exit status shows that it ran to its own end. */
const COMMAND = ['sh', '-c', 'exit 3'];

let fake: FakeBpftrace;
function start(...runs: readonly Run[]): FakeBpftrace {
  fake = fakeBpftrace(runs);
  return fake;
}
afterEach(() => removeEnded(fake));

describe('a bpftrace that works', () => {
  test.each(['0.17', '0.23', '0.27'])('%s: gives the profile of the recording', async (version) => {
    const run = replaying(phasesOf('sleepers-no-stacks', version));
    const { profile, failure, exit } = await collectRun(start(run), COMMAND, { version: `${version}.0` });
    expect({ failure, exit }).toEqual({ failure: undefined, exit: { code: 3, signal: null } });
    expect(profile.metadata).toMatchObject({ incomplete: false, exit, pid: fake.starts()[0]?.target });
    expect(profile.ebpf.syscalls?.by_syscall.clock_nanosleep).toEqual({ count: 69 });
    expect(profile.quality).toMatchObject({ dropped_lines: 0, lost_events: 0, warnings: [] });
  });

  test('follows attached processes until they end', async () => {
    const target = hold(['true']);
    const events: Step[] = [['lines', [...PHASES.attaching, PHASES.ready]]];
    const rest: Step[] = [
      ['until', 'requested'],
      ['lines', [PHASES.stop, ...PHASES.maps, PHASES.end]],
    ];
    const run = { ...PHASES, pid: target.pid, steps: [...events, ...rest, ['until', 'interrupted']] } as Run;
    const { profile, failure } = await collectAttached(start(run), [target.pid], { begun: target.release });
    expect(failure).toBeUndefined();
    expect(profile.metadata).toMatchObject({ mode: 'attach', incomplete: false });
    expect(profile.ebpf.syscalls?.by_syscall.clock_nanosleep).toEqual({ count: 69 });
  });
});

test('processes that end before bpftrace is ready are an error, and bpftrace is ended', async () => {
  const [one, other] = [hold(['true']), hold(['true'])];
  const pids = [one.pid, other.pid];
  for (const held of [one, other]) held.abandon();
  await Promise.all([one.exited, other.exited]);
  const run = {
    ...PHASES,
    pid: 1,
    steps: [
      ['lines', [...PHASES.attaching, PHASES.ready]],
      ['hang', true],
    ],
  } as Run;
  await expect(collectAttached(start(run), pids)).rejects.toMatchObject({
    message: `processes ${pids.join(', ')} ended before bpftrace was ready.`,
    status: 125,
  });
});

describe('a bpftrace that ends before its probes are live', () => {
  test.each(endsAt(BEFORE_READY))(
    '$at, $how: is reported, and the command never runs',
    async ({ at, steps, how }) => {
      const collecting = collectRun(start(replaying(PHASES, { at, steps })), COMMAND);
      await expect(collecting).rejects.toThrow(
        `bpftrace ended ${how} before its probes were live: it wrote nothing`,
      );
    },
  );

  test('is reported with its first error', async () => {
    const lines = ['Attaching 12 probes...', 'stdin:3:1-9: ERROR: some trouble', 'and more of it'];
    const steps: Step[] = [...lines.map((line) => ['stderr', line] as const), ['exit', 9]];
    const run = replaying(PHASES, { at: 'before any output', steps });
    await expect(collectRun(start(run), COMMAND)).rejects.toThrow(
      'bpftrace ended with status 9 before its probes were live: stdin:3:1-9: ERROR: some trouble',
    );
  });
});

describe('a bpftrace that ends once its probes are live', () => {
  // With status 0 it has printed everything, as after an interrupt.
  const premature = endsAt(AFTER_READY).filter(
    ({ at, how }) => !PRINTING.includes(at) || how !== 'with status 0',
  );

  test.each(premature)(
    '$at, $how: the command runs to its end, and the result is marked incomplete',
    async ({ at, steps, how }) => {
      const run = replaying(PHASES, { at, steps });
      const { profile, failure, exit } = await collectRun(start(run), COMMAND);
      const sentence = PRINTING.includes(at)
        ? `bpftrace ended ${how} while it printed its maps: the result lacks some of them.`
        : `bpftrace ended ${how} before it printed its maps: the counts are lost.`;
      expect(exit).toEqual({ code: 3, signal: null });
      expect(failure?.message).toBe(sentence);
      expect(profile.metadata).toMatchObject({ incomplete: true });
      expect(profile.quality.warnings).toContain(sentence);
    },
  );

  test('leaves the earlier prints of intervals in the result', async () => {
    const phases = phasesOf('interval');
    const steps: Step[] = [
      ['lines', phases.events],
      ['kill', 'SIGKILL'],
    ];
    const run = replaying(phases, { at: 'once ready', steps });
    const { profile, failure } = await collectRun(start(run), COMMAND, { plan: { intervalMs: 300 } });
    expect(failure?.message).toMatch(/ended by SIGKILL before it printed its maps/);
    expect(profile.ebpf.syscalls?.by_syscall.clock_nanosleep?.count).toBeGreaterThan(23);
  });
});

describe('a bpftrace that hangs', () => {
  test.each(BEFORE_READY)('%s: is ended by Ctrl-C, and the command never runs', async (at) => {
    let interrupt = () => {};
    const stop = new Promise<void>((resolve) => {
      interrupt = resolve;
    });
    const collecting = collectRun(start(replaying(PHASES, { at, steps: [['hang', true]] })), COMMAND, {
      stop,
    });
    await until(() => fake.starts().length > 0);
    interrupt();
    await expect(collecting).rejects.toMatchObject({ status: 130 });
  });
});

describe('unexpected lines in the output of bpftrace', () => {
  const garbage = ['', 'hello', '{"type": "value", "data": ["exec"', '\u0000\ufffd', '{}', '[1,2]', 'null'];

  test('are counted, and all other lines are read', async () => {
    const { recordedPid, steps } = replaying(PHASES);
    const littered = steps.flatMap((step): Step[] => [['lines', garbage], step]);
    const { profile, failure } = await collectRun(start({ recordedPid, steps: littered }), COMMAND);
    expect(failure).toBeUndefined();
    expect(profile.quality.dropped_lines).toBeGreaterThanOrEqual(garbage.length - 1);
    expect(profile.quality.warnings.join()).toMatch(/could not be read/);
    expect(profile.ebpf.syscalls?.total).toBeGreaterThan(100);
  });
});

test.each<[string, readonly Step[]]>([
  ['before the end of the command', [['lines', [PHASES.stop, ...PHASES.maps]]]],
  [
    'just as the command ends',
    [
      ['lines', [PHASES.stop]],
      ['until', 'gone'],
      ['lines', PHASES.maps],
    ],
  ],
])('a bpftrace that another process ends %s gives an incomplete result', async (_, printed) => {
  const { recordedPid, attaching, ready, events } = PHASES;
  const begun: Step[] = [
    ['lines', [...attaching, ready, ...events]],
    ['until', 'running'],
  ];
  const run = { recordedPid, steps: [...begun, ...printed, ['exit', 0]] } as Run;
  const { profile, failure } = await collectRun(start(run), ['sh', '-c', 'sleep 0.3; exit 3']);
  expect(failure).toMatchObject({
    message: 'bpftrace was ended by another process: what happened after that is not in the result.',
    status: 125,
  });
  expect(profile.metadata.incomplete).toBe(true);
  expect(profile.quality.warnings).toContain(failure?.message);
  expect(profile.ebpf.syscalls?.by_syscall.clock_nanosleep).toEqual({ count: 69 });
});

/** By a signal at each moment. `npm run test:all` also tries each exit status. */
function endsAt(moments: readonly Moment[]): { at: Moment; how: string; steps: readonly Step[] }[] {
  const ends = cases<{ how: string; steps: readonly Step[] }>(
    [{ how: 'by SIGSEGV', steps: [['kill', 'SIGSEGV']] }],
    [
      { how: 'with status 1', steps: [['exit', 1]] },
      { how: 'with status 0', steps: [['exit', 0]] },
    ],
  );
  return moments.flatMap((at) => ends.map((end) => ({ at, ...end })));
}
