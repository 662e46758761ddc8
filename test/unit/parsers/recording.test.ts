import { describe, expect, test } from 'vitest';
import { newRecording, recordLine } from '../../../parsers/recording.ts';
import { recordingOf, SLEEP_LINES } from '../sleep-recording.ts';

test('a whole run is in the recording', () => {
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

test('what a line was is returned', () => {
  const recording = newRecording();
  expect(recordLine(recording, '')).toEqual({ kind: 'ignored' });
  expect(recordLine(recording, '{"type": "value", "data": ["end",7]}')).toEqual({
    kind: 'event',
    event: { type: 'end', at: 7 },
  });
});

test('where code is mapped is read, and not kept here', () => {
  const lines = [
    '{"type": "value", "data": ["path",266338304,260875,0,"sleep"]}',
    '{"type": "value", "data": ["image",3945559760474,26857,1,94477970509824,266338304,260875]}',
    '{"type": "value", "data": ["auxv",26857,1,33,140179474968576]}',
    '{"type": "value", "data": ["mapping",3945559960474,26857,1,139746899484672,1396736,155648,266338304,338951]}',
  ];
  const recording = recordingOf(lines);
  const quality = { ...newRecording().quality, linesRead: lines.length };
  expect(recording).toEqual({ ...newRecording(), quality });
});

test('the last print of a map replaces the ones before', () => {
  const recording = recordingOf([
    '{"type": "map", "data": {"@calls": {"865,158": 1, "865,12": 3}}}',
    '{"type": "map", "data": {"@calls": {"865,158": 2}}}',
  ]);
  expect(recording.maps.get('@calls')).toEqual([{ key: '865,158', value: 2 }]);
});

test('what is printed after the end changes nothing', () => {
  const recording = recordingOf([
    '{"type": "map", "data": {"@calls": {"865,158": 1}}}',
    '{"type": "value", "data": ["end",3945670417788]}',
    '{"type": "map", "data": {"@calls": {"865,158": 9}}}',
  ]);
  expect(recording.complete).toBe(true);
  expect(recording.maps.get('@calls')).toEqual([{ key: '865,158', value: 1 }]);
});

test('a print at an interval counts once it is complete', () => {
  const recording = recordingOf(['{"type": "value", "data": ["tick",4106488983033]}']);
  expect(recording.tick).toBeUndefined();
  recordLine(recording, '{"type": "value", "data": ["tock",4106488993098]}');
  expect(recording.tick).toBe(4106488993098);
});

test('a print at an interval counts as a whole, or not at all', () => {
  const print = (at: number, count: number) => [
    `{"type": "value", "data": ["tick",${at}]}`,
    `{"type": "map", "data": {"@longest": {"1,1": ${count}}}}`,
    `{"type": "stats", "data": {"@waits": {"1,1,1,1": {"count": ${count}, "average": 1, "total": ${count}}}}}`,
    `{"type": "value", "data": ["tock",${at + 5}]}`,
  ];
  const recording = recordingOf([...print(100, 7), ...print(200, 9).slice(0, 2)]);
  expect(recording.tick).toBe(105);
  expect(recording.maps.get('@longest')).toEqual([{ key: '1,1', value: 7 }]);
  for (const line of print(200, 9).slice(2)) recordLine(recording, line);
  expect(recording.tick).toBe(205);
  expect(recording.maps.get('@longest')).toEqual([{ key: '1,1', value: 9 }]);
});

test('a second program goes on with what the first one counted, but for waits in progress', () => {
  const recording = recordingOf([
    '{"type": "value", "data": ["ready",10]}',
    '{"type": "value", "data": ["exec",11,4711,1,"a"]}',
    '{"type": "value", "data": ["entry",20,4711]}',
    '{"type": "value", "data": ["stop",21]}',
    '{"type": "map", "data": {"@calls": {"4711,1": 3}}}',
    '{"type": "map", "data": {"@off": {"4711": [20,4711,1,4,7,0,0]}}}',
    '{"type": "value", "data": ["end",22]}',
    '{"type": "value", "data": ["ready",30]}',
    '{"type": "value", "data": ["start",31]}',
  ]);
  expect(recording).toMatchObject({ begin: 10, entry: 20, start: 31, end: undefined, complete: false });
  recordLine(recording, '{"type": "map", "data": {"@calls": {"4711,1": 5}}}');
  expect(recording.maps.get('@calls')).toEqual([
    { key: '4711,1', value: 3 },
    { key: '4711,1', value: 5 },
  ]);
  expect(recording.maps.has('@off')).toBe(false);
  expect(recording.execs).toHaveLength(1);
});

test('a stream that breaks off has no end', () => {
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

describe('of a flood', () => {
  const numbers = Array.from({ length: 1009 }, (_, i) => i);

  test('of bad lines all are counted and the first few are kept', () => {
    const { quality } = recordingOf(numbers.map((i) => `{"line ${i}`));
    expect(quality.linesDropped).toBe(1009);
    expect(quality.reasons).toHaveLength(5);
    expect(quality.reasons[0]).toContain('line 0');
  });

  test('of faults all are counted and the first few messages are kept', () => {
    const { quality } = recordingOf(numbers.map((i) => fault(`fault ${i}`)));
    expect(quality.faults).toBe(1009);
    expect([...quality.faultMessages]).toEqual(['fault 0', 'fault 1', 'fault 2', 'fault 3', 'fault 4']);
  });

  test('of equal faults one message is kept', () => {
    const { quality } = recordingOf([...numbers.map(() => fault('Map full')), fault('another')]);
    expect(quality.faults).toBe(1010);
    expect([...quality.faultMessages]).toEqual(['Map full', 'another']);
  });

  test('of remarks none are kept', () => {
    const { quality } = recordingOf(numbers.map((i) => `remark ${i}`));
    expect(quality).toMatchObject({ linesIgnored: 1009, linesDropped: 0, reasons: [] });
  });
});
