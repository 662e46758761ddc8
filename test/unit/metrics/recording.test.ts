import { describe, expect, test } from 'vitest';
import { currentSession, newRecorder, recordLine } from '../../../metrics/recording.ts';
import { eventLine, mapLine } from '../printed-lines.ts';
import { recorderOf, recordingOf, SLEEP_LINES } from '../sleep-recording.ts';

test('a recording has the events and maps of the run', () => {
  const recording = recordingOf(SLEEP_LINES);
  expect(recording.begin).toBe(3945554148073);
  expect(recording.end).toBe(3945670370177);
  expect(recording.execs.map((e) => [e.pid, e.generation, e.comm])).toEqual([[26857, 1, 'sleep']]);
  expect(recording.exits.map((e) => [e.pid, e.tid])).toEqual([[26857, 26857]]);
  expect(recording.forks).toEqual([]);
  expect([...recording.maps.keys()]).toEqual(['@waits', '@extremes', '@calls']);
  expect(recording.maps.get('@waits')).toHaveLength(2);
  expect(recording.quality).toEqual({
    linesRead: 8,
    linesIgnored: 1,
    linesDropped: 0,
    lostEvents: 0,
    faults: 0,
    reasons: [],
    faultMessages: new Set(),
  });
});

test('recording a line returns its kind', () => {
  const recorder = newRecorder();
  expect(recordLine(recorder, '')).toEqual({ kind: 'ignored' });
  expect(recordLine(recorder, '{"type": "value", "data": ["end",7]}')).toEqual({
    kind: 'event',
    event: { type: 'end', at: 7 },
  });
});

test('events of mappings are read but not recorded', () => {
  const lines = [
    '{"type": "value", "data": ["path",266338304,260875,0,"sleep"]}',
    '{"type": "value", "data": ["image",3945559760474,26857,1,94477970509824,266338304,260875]}',
    '{"type": "value", "data": ["auxv",26857,1,33,140179474968576]}',
    '{"type": "value", "data": ["mapping",3945559960474,26857,1,139746899484672,1396736,155648,266338304,338951]}',
  ];
  const empty = newRecorder();
  const quality = { ...currentSession(empty).quality, linesRead: lines.length };
  expect(recorderOf(lines)).toEqual({ ...empty, sessions: [{ ...currentSession(empty), quality }] });
});

test('the last print of a map replaces the ones before', () => {
  const recording = recordingOf([
    '{"type": "map", "data": {"@calls": {"865,158": 1, "865,12": 3}}}',
    '{"type": "map", "data": {"@calls": {"865,158": 2}}}',
  ]);
  expect(recording.maps.get('@calls')).toEqual([{ key: '865,158', value: 2 }]);
});

test('lines after the end change nothing', () => {
  const recording = currentSession(
    recorderOf([
      '{"type": "map", "data": {"@calls": {"865,158": 1}}}',
      '{"type": "value", "data": ["end",3945670417788]}',
      '{"type": "map", "data": {"@calls": {"865,158": 9}}}',
    ]),
  );
  expect(recording.complete).toBe(true);
  expect(recording.maps.get('@calls')).toEqual([{ key: '865,158', value: 1 }]);
});

test('a print at an interval counts once it is complete', () => {
  const recorder = recorderOf(['{"type": "value", "data": ["tick",4106488983033]}']);
  expect(currentSession(recorder).tick).toBeUndefined();
  recordLine(recorder, '{"type": "value", "data": ["tock",4106488993098]}');
  expect(currentSession(recorder).tick).toBe(4106488993098);
});

test('a print at an interval counts completely or not at all', () => {
  const print = (at: number, count: number) => [
    `{"type": "value", "data": ["tick",${at}]}`,
    `{"type": "map", "data": {"@longest": {"1,1": ${count}}}}`,
    `{"type": "stats", "data": {"@waits": {"1,1,1,1": {"count": ${count}, "average": 1, "total": ${count}}}}}`,
    `{"type": "value", "data": ["tock",${at + 5}]}`,
  ];
  const recorder = recorderOf([...print(100, 7), ...print(200, 9).slice(0, 2)]);
  const recording = currentSession(recorder);
  expect(recording.tick).toBe(105);
  expect(recording.maps.get('@longest')).toEqual([{ key: '1,1', value: 7 }]);
  for (const line of print(200, 9).slice(2)) recordLine(recorder, line);
  expect(recording.tick).toBe(205);
  expect(recording.maps.get('@longest')).toEqual([{ key: '1,1', value: 9 }]);
});

/** The second bpftrace continues while the command is held at its entry. */
describe('two sessions', () => {
  const FIRST = [
    eventLine('ready', 10),
    eventLine('exec', 11, 4711, 1, 'a'),
    eventLine('entry', 20, 4711),
    eventLine('stop', 21),
    mapLine('@calls', [{ key: '4711,1', value: 3 }]),
    mapLine('@times', [{ key: '1,0', value: { count: 1, average: 4, total: 4 } }]),
    mapLine('@off', [{ key: '4711', value: [19, 4711, 1, 1, 7, 0, 0] }]),
    eventLine('end', 22),
  ];
  const SECOND = [eventLine('ready', 30), eventLine('start', 31)];
  const off = (state: number) => mapLine('@off', [{ key: '4711', value: [26, 4711, 1, state, 7, 0, 0] }]);

  test('become one recording, in which the second continues the sums of the first', () => {
    const recording = recordingOf([...FIRST, ...SECOND, mapLine('@calls', [{ key: '4711,1', value: 5 }])]);
    expect(recording).toMatchObject({ begin: 10, start: 31, end: undefined });
    expect(recording.maps.get('@calls')).toEqual([
      { key: '4711,1', value: 3 },
      { key: '4711,1', value: 5 },
    ]);
    expect(recording.maps.get('@times')).toHaveLength(1);
    expect(recording.execs).toHaveLength(1);
  });

  test('omit waits in progress at the end of the first, but count its runs', () => {
    const recording = recordingOf([...FIRST, ...SECOND]);
    expect(recording.maps.has('@off')).toBe(false);
    expect(recording.earlierRuns).toMatchObject([{ pid: 4711, tid: 4711, ranNs: 7 }]);
    const own = mapLine('@off', [{ key: '4711', value: [40, 4711, 1, 1, 1, 0, 0] }]);
    expect(recordingOf([...FIRST, ...SECOND, own]).maps.get('@off')).toHaveLength(1);
  });

  test.each([
    ['when the thread stopped', [...FIRST.slice(0, 6), off(4), ...SECOND], 26],
    ['when the stop was requested, if no thread stopped later', [...FIRST, ...SECOND], 20],
    ['when the stop was requested, if nothing was printed', [...FIRST.slice(0, 4), ...SECOND], 20],
  ])('have a pause between them that begins %s', (_, lines, from) => {
    expect(recordingOf(lines).pause).toEqual({ asked: 20, from, to: 31 });
  });

  test('have full maps by their own sizes, not by those of both', () => {
    const two = (first: number) =>
      mapLine(
        '@calls',
        [0, 1].map((i) => ({ key: `1,${first + i}`, value: 1 })),
      );
    const recording = recordingOf([...FIRST.slice(0, 4), two(0), ...SECOND, two(2)]);
    expect(recording.maps.get('@calls')).toHaveLength(4);
    expect(recording.mapSizes.get('@calls')).toBe(2);
  });

  test('equal the first if the second was never used, with the line counts of both', () => {
    const bad = '{"bad';
    const recording = recordingOf([...FIRST, bad, SECOND[0] as string, bad]);
    expect(recording).toMatchObject({ begin: 10, start: undefined, end: 21 });
    expect(recording.maps.get('@off')).toHaveLength(1);
    expect(recording.quality).toMatchObject({ linesRead: 9, linesDropped: 2 });
  });

  test('are joined even if the start of the second was lost: it then began with its BEGIN', () => {
    const calls = mapLine('@calls', [{ key: '4711,1', value: 5 }]);
    const recording = recordingOf([...FIRST, SECOND[0] as string, calls]);
    expect(recording).toMatchObject({ begin: 10, end: undefined, pause: { asked: 20, from: 20, to: 30 } });
    expect(recording.maps.get('@calls')).toHaveLength(2);
  });

  test('have the last print at an interval of either', () => {
    const tick = [
      eventLine('tick', 50),
      mapLine('@calls', [{ key: '4711,1', value: 9 }]),
      eventLine('tock', 51),
    ];
    expect(recordingOf([...FIRST, ...SECOND, ...tick])).toMatchObject({ tick: 51 });
    const early = [...FIRST.slice(0, 3), eventLine('tick', 15), eventLine('tock', 16), ...FIRST.slice(3)];
    expect(recordingOf([...early, ...SECOND]).tick).toBe(16);
  });
});

test('a stream that ends early has no end', () => {
  expect(recordingOf(SLEEP_LINES.slice(0, 4)).end).toBeUndefined();
});

test('every line is counted as read, ignored or dropped', () => {
  const { quality } = recordingOf([
    '',
    'WARNING: text on stdout',
    '{"type": "map", "data": {"@stopped": 1}}',
    '{"type": "map", "data": {"@calls": {"26857,2',
    '{"type": "printf", "data": "hello"}',
    '{"type": "value", "data": ["ready",3945554148073]}',
    '{"type": "lost_events", "data": {"events": 46}}',
    '{"type": "lost_events", "count": 45, "data": {"events": 45}}',
    fault('Map full'),
  ]);
  expect(quality).toMatchObject({
    linesRead: 4,
    linesIgnored: 3,
    linesDropped: 2,
    lostEvents: 91,
    faults: 1,
  });
});

function fault(msg: string): string {
  return `{"type": "runtime_error", "msg": "${msg}", "filename": "stdin", "line": 1, "col": 2}`;
}

describe('a flood', () => {
  const numbers = Array.from({ length: 1009 }, (_, i) => i);

  test('of unreadable lines is counted, and the first few reasons are recorded', () => {
    const { quality } = recordingOf(numbers.map((i) => `{"line ${i}`));
    expect(quality.linesDropped).toBe(1009);
    expect(quality.reasons).toHaveLength(5);
    expect(quality.reasons[0]).toContain('line 0');
  });

  test('of faults is counted, and the first few messages are recorded', () => {
    const { quality } = recordingOf(numbers.map((i) => fault(`fault ${i}`)));
    expect(quality.faults).toBe(1009);
    expect([...quality.faultMessages]).toEqual(['fault 0', 'fault 1', 'fault 2', 'fault 3', 'fault 4']);
  });

  test('of equal faults has one message', () => {
    const { quality } = recordingOf([...numbers.map(() => fault('Map full')), fault('another')]);
    expect(quality.faults).toBe(1010);
    expect([...quality.faultMessages]).toEqual(['Map full', 'another']);
  });

  test('of remarks is only counted', () => {
    const { quality } = recordingOf(numbers.map((i) => `remark ${i}`));
    expect(quality).toMatchObject({ linesIgnored: 1009, linesDropped: 0, reasons: [] });
  });
});
