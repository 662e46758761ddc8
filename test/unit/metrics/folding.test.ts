import { describe, expect, test } from 'vitest';
import { PROFILERS } from '../../../bt/profilers/profiler-registry.ts';
import type { Ending, Facts } from '../../../metrics/facts.ts';
import { foldFinished } from '../../../metrics/folding.ts';
import { measured, readProfile, readRecorder } from '../../../metrics/profile.ts';
import { currentSession, newRecorder, recordLine } from '../../../metrics/recording.ts';
import { noSymbols } from '../../../metrics/symbols.ts';
import { eventLine, mapLine, sumEntry } from '../printed-lines.ts';
import { SLEEP_ENDING, SLEEP_FACTS } from '../sleep-recording.ts';

const cpu = (onCpuNs: number, runDelayNs: number) => ({ onCpuNs, runDelayNs });
const MAIN = { pid: 7, tid: 7, comm: 'main', state: 'S' };
const FACTS: Facts = {
  ...{ ...SLEEP_FACTS, mode: 'attach', pids: [7], stacks: false, room: {} },
  named: [
    { ...MAIN, cpu: cpu(100, 10) },
    { ...MAIN, tid: 8, comm: 'before', cpu: cpu(50, 5) },
  ],
};
const ENDING: Ending = { ...SLEEP_ENDING, mappings: new Map(), alive: [{ ...MAIN, cpu: cpu(300, 14) }] };

/** A recorder of these lines that folds after each line. */
function foldedRecorder(lines: readonly string[], kept: number, facts = FACTS) {
  const recorder = newRecorder();
  for (const line of lines) {
    recordLine(recorder, line);
    foldFinished(recorder, facts, kept);
  }
  return recorder;
}

function profileOf(lines: readonly string[], kept: number, facts = FACTS, ending = ENDING) {
  const collected = readRecorder(foldedRecorder(lines, kept, facts), facts, measured(facts, PROFILERS));
  return readProfile(collected, ending).assemble(noSymbols());
}

/** The figures that folding must not change. */
function totalsOf(lines: readonly string[], kept: number, facts = FACTS, ending = ENDING) {
  const { metadata, ebpf, account } = profileOf(lines, kept, facts, ending);
  const { by_thread, ...sums } = account ?? { by_thread: {} };
  const { offcpu, syscalls } = ebpf;
  const names = Object.entries(offcpu?.thread_stats ?? {}).map(([key, { comm, total_time_ns }]) => {
    return [key, comm, total_time_ns];
  });
  const { wall_time_ns, processes, threads } = metadata;
  return { wall_time_ns, processes, threads, sums, names, by_process: syscalls?.by_process };
}

/** A thread's lifetime, its wait and its CPU time. */
interface Life {
  readonly pid?: number;
  readonly tid: number;
  readonly born: number;
  readonly died: number;
  readonly comm: string;
  readonly used: number;
}

const bornLine = ({ pid = 7, tid, born }: Life) => eventLine('thread', born, pid, tid);
const exitLine = ({ pid = 7, tid, born, died, comm, used }: Life) =>
  eventLine('exit', died, pid, tid, born, comm, used, 3, used + 2);

const WORKERS: Life[] = Array.from({ length: 23 }, (_, i) => ({
  ...{ tid: 100 + i, born: 2000 + 10 * i, died: 4000 + 100 * i, comm: `worker ${i}`, used: 40 + i },
}));
const CHILD: Life = { pid: 300, tid: 300, born: 2500, died: 3050, comm: 'child', used: 31 };

const START = [eventLine('ready', 990), eventLine('start', 1000)];
const BEGUN = [
  ...START,
  ...WORKERS.map(bornLine),
  eventLine('fork', 2500, 7, 300, 1),
  bornLine(CHILD),
  eventLine('exec', 2510, 300, 2, 'program'),
];
const END = [
  eventLine('stop', 9000),
  mapLine('@waits', [
    ...WORKERS.map(({ tid }) => sumEntry(`${tid},7,1,1`, 2, 10 * tid)),
    ...[sumEntry('300,300,2,1', 1, 170), sumEntry('8,7,1,1', 1, 90), sumEntry('9,7,1,1', 1, 5)],
  ]),
  mapLine('@calls', [
    { key: '7,0', value: 23 },
    { key: '300,1', value: 5 },
  ]),
  eventLine('end', 9001),
];
/** A named thread, a thread that ended before it could be named, and a child. */
const FIRST_ENDS = [
  eventLine('exit', 3000, 7, 9, 500, 'unknown', 9, 9, 9),
  exitLine(CHILD),
  eventLine('exit', 3060, 7, 8, 400, 'after', 150, 6, 99),
];
const LINES = [...BEGUN, ...FIRST_ENDS, ...WORKERS.map(exitLine), ...END];

describe('finished threads that are folded into sums', () => {
  const unfolded = totalsOf(LINES, 1000);

  test.each([1, 2, 7, 12])(
    'leave the totals unchanged, with rows for at least the last %i of them',
    (kept) => {
      expect(totalsOf(LINES, kept)).toEqual(unfolded);
    },
  );

  test('are those without rows in the account', () => {
    const whole = profileOf(LINES, 1000).account?.by_thread ?? {};
    const rows = profileOf(LINES, 2).account?.by_thread ?? {};
    expect(Object.keys(whole)).toHaveLength(23 + 3);
    expect(Object.keys(rows).length).toBeLessThanOrEqual(4 + 1);
    expect(rows).toEqual(Object.fromEntries(Object.keys(rows).map((key) => [key, whole[key]])));
    expect(rows).toHaveProperty('7:122');
  });

  test('have the same sums as before', () => {
    expect(unfolded).toMatchObject({ processes: 2, threads: 27 });
    expect(unfolded.sums).toMatchObject({ threads: 26, threads_unknown: 1 });
    expect(unfolded.names).toContainEqual(['7:8', 'after', 90]);
    expect(unfolded.by_process).toMatchObject({ 7: { comm: 'main' }, 300: { comm: 'child' } });
  });

  test('use no memory: their events are removed', () => {
    const recorder = foldedRecorder(LINES.slice(0, -4), 3);
    const { exits, threads, forks, execs } = currentSession(recorder);
    expect(exits.length).toBeLessThan(2 * 3);
    expect([threads.length, forks, execs]).toEqual([exits.length, [], []]);
  });

  test('are only folded beyond twice the number with rows', () => {
    const recorder = foldedRecorder(LINES, 14);
    expect(currentSession(recorder).exits).toHaveLength(26);
    expect(recorder.folded.threads).toBe(0);
  });
});

describe('a reused thread number', () => {
  const again: Life = { tid: 100, born: 7000, died: 7500, comm: 'again', used: 70 };
  const lines = [...BEGUN, ...FIRST_ENDS, ...WORKERS.map(exitLine), bornLine(again), exitLine(again), ...END];

  test.each([1, 2, 7])('has the times of all its threads, with %i rows', (kept) => {
    const unfolded = totalsOf(lines, 1000);
    expect(unfolded).toMatchObject({ threads: 28, sums: { threads: 27, threads_unknown: 1 } });
    const { threads, sums, names } = unfolded;
    expect(totalsOf(lines, kept)).toMatchObject({ threads, sums, names });
  });

  test('keeps the start of the later thread', () => {
    const born = foldedRecorder([...BEGUN, bornLine(again), ...FIRST_ENDS, ...WORKERS.map(exitLine)], 1);
    expect(currentSession(born).threads).toMatchObject([{ tid: 122 }, { tid: 100, at: 7000 }]);
  });
});

test('a thread that ran another program has its times under both numbers', () => {
  const lines = [
    ...START,
    ...[eventLine('fork', 1600, 7, 400, 1), eventLine('thread', 1600, 400, 400)],
    eventLine('thread', 1650, 400, 401),
    eventLine('exit', 1700, 400, 400, 1600, 'x', 20, 1, 21),
    eventLine('renamed', 1750, 400, 401, 35, 30, 2),
    eventLine('exec', 1751, 400, 2, 'y'),
    eventLine('exit', 1900, 400, 400, 1650, 'y', 100, 4, 70),
    ...LINES.slice(START.length),
  ];
  const { sums } = totalsOf(lines, 1000);
  expect(sums).toMatchObject({ threads: 26 + 2, threads_unknown: 1 });
  for (const kept of [1, 2, 7, 11]) expect(totalsOf(lines, kept).sums).toEqual(sums);
  expect(currentSession(foldedRecorder(lines, 1))).toMatchObject({ renamed: [], execs: [], forks: [] });
});

test('a command whose main thread leaves first is timed from its exec', () => {
  const facts: Facts = { ...FACTS, mode: 'run', named: [] };
  const ending: Ending = { ...ENDING, alive: [] };
  const lines = [
    eventLine('ready', 1000),
    eventLine('exec', 1500, 7, 1, 'command'),
    eventLine('began', 1500, 7, 0, 0, 0, 0),
    ...WORKERS.map(bornLine),
    eventLine('exit', 2900, 7, 7, 1400, 'command', 80, 1, 82),
    ...WORKERS.map(exitLine),
    ...END,
  ];
  const unfolded = totalsOf(lines, 1000, facts, ending);
  expect(unfolded.wall_time_ns).toBe(6200 - 1500);
  for (const kept of [1, 5]) expect(totalsOf(lines, kept, facts, ending)).toEqual(unfolded);
});

test('the accounting drift is unknown if the map of threads was full', () => {
  const full = mapLine('@full', [{ key: '@off', value: 1 }]);
  const lines = [...LINES.slice(0, -1), full, ...LINES.slice(-1)];
  expect(totalsOf(LINES, 2).sums).not.toMatchObject({ miscounted_ns: 0 });
  expect(totalsOf(lines, 2).sums).toMatchObject({ miscounted_ns: 0 });
});

test('the accounting drift is unknown for threads with a missed switch-out, before and after they are folded', () => {
  const again: Life = { tid: 100, born: 7000, died: 7500, comm: 'again', used: 70 };
  const missed = mapLine('@missed', [
    { key: '100', value: 1 },
    { key: '103', value: 2 },
  ]);
  const lines = [...LINES.slice(0, -END.length), bornLine(again), exitLine(again), ...END.slice(0, -1)];
  const unfolded = totalsOf([...lines, missed, ...END.slice(-1)], 1000).sums;
  // Each thread adds 2 ns: two of tid 100, one of tid 103.
  const { miscounted_ns } = totalsOf(lines, 1000).sums as { miscounted_ns: number };
  expect(unfolded).toMatchObject({ miscounted_ns: miscounted_ns - 3 * 2 });
  for (const kept of [1, 2, 7, 12])
    expect(totalsOf([...lines, missed, ...END.slice(-1)], kept).sums).toEqual(unfolded);
});
