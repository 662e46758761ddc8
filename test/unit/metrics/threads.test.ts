import { describe, expect, test } from 'vitest';
import type { CpuTime, Ending, Facts } from '../../../metrics/facts.ts';
import { cpuTimes, lifetimes, namedByTid, namesOf, ranTimes, spanOf } from '../../../metrics/threads.ts';
import { eventLine, mapLine } from '../printed-lines.ts';
import { recordingOf, SLEEP_ENDING, SLEEP_FACTS, SLEEP_LINES } from '../sleep-recording.ts';

const START = 3945559760474;

describe('the span', () => {
  const spans = (lines: readonly string[], facts: Partial<Facts> = {}, incomplete = false) =>
    spanOf(recordingOf(lines), { ...SLEEP_FACTS, ...facts }, { ...SLEEP_ENDING, incomplete });

  test('of run goes from the exec of the command to its exit', () => {
    expect(spans(SLEEP_LINES)).toEqual({ start: START, end: 3945670370177, wall: 3945662807838 - START });
  });

  test('of a running command ends with the collection', () => {
    const lines = SLEEP_LINES.filter((line) => !line.includes('"exit"'));
    expect(spans(lines).wall).toBe(3945670370177 - START);
  });

  test('of attach begins when the threads are named', () => {
    const lines = ['{"type": "value", "data": ["start",3945558000000]}', ...SLEEP_LINES];
    expect(spans(lines, { mode: 'attach' })).toMatchObject({
      start: 3945558000000,
      wall: 3945670370177 - 3945558000000,
    });
  });

  test('of a stream that ends early ends with its last print', () => {
    const tock = '{"type": "value", "data": ["tock",3945600000000]}';
    expect(spans([...SLEEP_LINES.slice(0, 3), tock], {}, true).end).toBe(3945600000000);
  });

  test('of a stream that ends before any print is measured by our own clock', () => {
    expect(spans(SLEEP_LINES.slice(0, 3), {}, true).end).toBe(START + SLEEP_ENDING.elapsedNs);
  });

  test('of a command held at its entry excludes the time for which it was stopped', () => {
    const lines = [
      '{"type": "value", "data": ["ready",10]}',
      '{"type": "value", "data": ["exec",11,26857,1,"a"]}',
      '{"type": "value", "data": ["entry",20,26857]}',
      '{"type": "map", "data": {"@off": {"26857": [26,26857,1,4,15,0,0]}}}',
      '{"type": "value", "data": ["ready",35]}',
      '{"type": "value", "data": ["start",40]}',
      '{"type": "value", "data": ["exit",90,26857,26857,5,"a"]}',
    ];
    expect(spans(lines).wall).toBe(90 - 11 - (40 - 26));
    expect(spans(lines.filter((line) => !line.includes('@off'))).wall).toBe(90 - 11 - (40 - 20));
  });

  test('is never negative', () => {
    const lines = [...SLEEP_LINES, '{"type": "value", "data": ["start",4503599627370496]}'];
    expect(spans(lines, { mode: 'system' }).wall).toBe(0);
  });
});

describe('names', () => {
  const exec = '{"type": "value", "data": ["exec",3762415155990,21008,1,"python3"]}';
  const fork = '{"type": "value", "data": ["fork",3762755367201,21008,21101,1]}';
  const named = [{ pid: 21008, tid: 21008, comm: 'before', state: 'S' }];

  test('are those of the start, until newer ones are seen', () => {
    expect(namesOf(recordingOf([]), { ...SLEEP_FACTS, named }, []).processes.get(21008)).toBe('before');
    const later = namesOf(recordingOf([fork, exec]), { ...SLEEP_FACTS, named }, []);
    expect([...later.processes]).toEqual([
      [21008, 'python3'],
      [21101, 'python3'],
    ]);
  });

  test('of a thread do not replace the known name of its process', () => {
    const alive = [
      { pid: 21008, tid: 21008, comm: 'main', state: 'S' },
      { pid: 21008, tid: 21009, comm: 'worker', state: 'S' },
    ];
    const names = namesOf(recordingOf([]), SLEEP_FACTS, alive);
    expect(names.processes.get(21008)).toBe('main');
    expect(names.threads.get(21009)).toBe('worker');
    expect(names.threadCount).toBe(2);
  });

  test('of a thread are used for a process without any other event', () => {
    const names = namesOf(recordingOf([]), SLEEP_FACTS, [{ pid: 7, tid: 8, comm: 'worker' }]);
    expect(names.processes.get(7)).toBe('worker');
  });
});

test('threads that ran before are known by their numbers', () => {
  const named = [{ pid: 21008, tid: 21098, comm: 'x', state: 'S' }];
  expect([...namedByTid({ ...SLEEP_FACTS, named })]).toEqual([[21098, named[0]]]);
});

describe('lifetimes', () => {
  const LIVES: Facts['named'] = [{ pid: 10, tid: 11, comm: 'x', state: 'S' }];
  const lifetimeOf = (lines: readonly string[], named: Facts['named'], alive = LIVES) => {
    const facts = { ...SLEEP_FACTS, mode: 'attach' as const, pids: [10], startNs: 1000, named };
    const span = { start: 1000, end: 9000, wall: 8000 };
    return lifetimes(recordingOf(lines), facts, alive, span).get('10:11');
  };

  test('of a thread that lived throughout are the whole span', () => {
    expect(lifetimeOf([], [{ pid: 10, tid: 11, comm: 'x', state: 'S' }])).toBe(8000);
  });

  test('of a new thread that is still alive are unknown', () => {
    expect(lifetimeOf([], [])).toBeUndefined();
  });

  test('of an exited thread count from its start, or from that of the collection', () => {
    expect(lifetimeOf(['{"type": "value", "data": ["exit",5000,10,11,3000,"x"]}'], [])).toBe(2000);
    expect(lifetimeOf(['{"type": "value", "data": ["exit",5000,10,11,500,"x"]}'], [])).toBe(4000);
  });

  test('of a reused number after an unseen exit count from the start of the later thread', () => {
    const events = ['["thread",2000,10,11]', '["exit",5000,10,11,4990,"x"]'];
    const lines = events.map((data) => `{"type": "value", "data": ${data}}`);
    expect(lifetimeOf(lines, [], [])).toBe(10);
  });

  test('of a thread that exited before the collection are 0', () => {
    expect(lifetimeOf(['{"type": "value", "data": ["exit",900,10,11,500,"x"]}'], [])).toBe(0);
  });

  test('of a thread that ran before count from when it was named', () => {
    expect(lifetimeOf([], [{ pid: 10, tid: 11, comm: 'x', state: 'S', namedNs: 70 }])).toBe(7930);
  });

  test('of a thread that runs another program end there, and continue under its new number', () => {
    const lines = [
      '{"type": "value", "data": ["thread",2000,11,12]}',
      '{"type": "value", "data": ["exit",4900,11,11,500,"x"]}',
      '{"type": "value", "data": ["renamed",5000,11,12,70]}',
    ];
    const facts = { ...SLEEP_FACTS, mode: 'run' as const, pids: [11] };
    const alive = [{ pid: 11, tid: 11, comm: 'x', state: 'S' }];
    const span = { start: 1000, end: 9000, wall: 8000 };
    expect([...lifetimes(recordingOf(lines), facts, alive, span)]).toEqual([
      ['11:11', 3900 + 4000],
      ['11:12', 3000],
    ]);
  });

  test('are unknown for an exit without a start time, as without BTF', () => {
    expect(lifetimeOf(['{"type": "value", "data": ["exit",5000,10,11,0,"x"]}'], [])).toBeUndefined();
  });
});

describe('CPU time', () => {
  const timesOf = (
    lines: readonly (readonly unknown[])[],
    facts: Partial<Facts> = {},
    alive: Ending['alive'] = [],
  ): [string, CpuTime][] => {
    const recording = recordingOf(lines.map((data) => eventLine(...data)));
    return [...cpuTimes(recording, { ...SLEEP_FACTS, ...facts }, alive)];
  };
  const exit = (tid: number, onCpu: number, delay: number) => ['exit', 9000, 7, tid, 5, 'x', onCpu, delay];

  test('is what a thread has used until its exit', () => {
    expect(timesOf([exit(8, 300, 20)])).toEqual([['7:8', { onCpuNs: 300, runDelayNs: 20 }]]);
  });

  test('of the command is what it has used since its exec', () => {
    // It had used 100 when it was switched in at 1000, and has used 50 more since.
    const lines = [['began', 1050, 7, 100, 100, 1000, 3], exit(7, 400, 10)];
    expect(timesOf(lines)).toEqual([['7:7', { onCpuNs: 250, runDelayNs: 7 }]]);
  });

  test('of a command with a missed first switch-in counts from its last switch-in', () => {
    const lines = [['began', 1050, 7, 0, 100, 0, 3], exit(7, 400, 10)];
    expect(timesOf(lines)).toEqual([['7:7', { onCpuNs: 300, runDelayNs: 7 }]]);
  });

  test('of a thread that ran before is what it has used since it was named', () => {
    const thread = { pid: 7, tid: 8, comm: 'x', state: 'S' };
    const named = [{ ...thread, cpu: { onCpuNs: 1000, runDelayNs: 100 } }];
    const alive = [{ ...thread, cpu: { onCpuNs: 1300, runDelayNs: 101 } }];
    const used = [['7:8', { onCpuNs: 300, runDelayNs: 1 }]];
    expect(timesOf([], { named }, alive)).toEqual(used);
    expect(timesOf([exit(8, 1300, 101)], { named })).toEqual(used);
  });

  test('of a thread that exited before it could be named is unknown', () => {
    const lines = [
      ['start', 1000],
      ['exit', 9000, 7, 8, 999, 'x', 300, 20],
      ['exit', 9000, 7, 9, 1001, 'y', 40, 2],
    ];
    expect(timesOf(lines, { mode: 'attach' })).toEqual([['7:9', { onCpuNs: 40, runDelayNs: 2 }]]);
  });

  test('of a reused number is that of all its threads', () => {
    const lines = [exit(8, 300, 20), exit(8, 5, 1)];
    expect(timesOf(lines)).toEqual([['7:8', { onCpuNs: 305, runDelayNs: 21 }]]);
  });

  test('of a thread that ran another program is divided between its numbers', () => {
    const lines = [exit(7, 100, 1), ['renamed', 5000, 7, 8, 290, 300, 20], exit(7, 1000, 30)];
    expect(timesOf(lines)).toEqual([
      ['7:7', { onCpuNs: 800, runDelayNs: 11 }],
      ['7:8', { onCpuNs: 300, runDelayNs: 20 }],
    ]);
    const recording = recordingOf(lines.map((data) => eventLine(...data)));
    expect([...ranTimes(recording, new Map())]).toEqual([['7:8', 290]]);
  });

  test('is unknown without BTF, and for threads whose time /proc lacks', () => {
    const alive = [{ pid: 7, tid: 8, comm: 'x', state: 'S' }];
    expect(timesOf([['exit', 9000, 7, 9, 5, 'x']], {}, alive)).toEqual([]);
  });
});

test('time from switch to switch covers all threads with a number, and runs before a take-over', () => {
  const lines = [
    eventLine('ready', 1),
    eventLine('entry', 3, 7),
    mapLine('@off', [{ key: '7', value: [5, 7, 1, 4, 1000, 0, 0] }]),
    eventLine('ready', 6),
    eventLine('start', 7),
    eventLine('exit', 9000, 7, 8, 5, 'x', 300, 20, 290),
    eventLine('exit', 9500, 7, 8, 5, 'x', 4, 0, 3),
    eventLine('exit', 9600, 7, 9, 5, 'x'),
  ];
  expect(ranTimes(recordingOf(lines), new Map([['7:7', 50]]))).toEqual(
    new Map([
      ['7:7', 1050],
      ['7:8', 293],
    ]),
  );
});
