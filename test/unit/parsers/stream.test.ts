import { describe, expect, test } from 'vitest';
import { readLine } from '../../../parsers/stream.ts';

describe('events of the program', () => {
  test.each([
    ['["ready",3945554148073]', { type: 'ready', at: 3945554148073 }],
    ['["tick",4106488983033]', { type: 'tick', at: 4106488983033 }],
    ['["tock",4106488993098]', { type: 'tock', at: 4106488993098 }],
    ['["stop",3945670370177]', { type: 'stop', at: 3945670370177 }],
    ['["end",3945670417788]', { type: 'end', at: 3945670417788 }],
    [
      '["exec",3762429919980,21062,5,"readlink"]',
      { type: 'exec', at: 3762429919980, pid: 21062, generation: 5, comm: 'readlink' },
    ],
    [
      '["fork",3762428088228,21061,21062,4]',
      { type: 'fork', at: 3762428088228, parent: 21061, pid: 21062, generation: 4 },
    ],
    [
      '["exit",3762712780373,21008,21098,3762692064085,"sleep"]',
      { type: 'exit', at: 3762712780373, pid: 21008, tid: 21098, start: 3762692064085, comm: 'sleep' },
    ],
  ])('%s', (data, event) => {
    expect(readLine(`{"type": "value", "data": ${data}}`)).toEqual({ kind: 'event', event });
  });

  test.each([
    [String.raw`"caf\uffffffc3\uffffffa9 a,b"`, 'café a,b'],
    [String.raw`"a) (b \"q\"\n"`, 'a) (b "q"\n'],
    [String.raw`"x\u001b[31m\uffffffe2\uffffff80\uffffffae"`, 'x\u001b[31m\u202e'],
    ['""', ''],
  ])('the name %s is %j', (printed, comm) => {
    const line = `{"type": "value", "data": ["exit",3762692240739,21008,21097,3762671307537,${printed}]}`;
    expect(readLine(line)).toMatchObject({ kind: 'event', event: { comm } });
  });

  test.each(['9007199254740993', '"9007199254740993"'])('a clock past 2^53 is read: %s', (at) => {
    const line = readLine(`{"type": "value", "data": ["ready",${at}]}`);
    expect(line).toEqual({ kind: 'event', event: { type: 'ready', at: 2 ** 53 } });
  });

  test.each([
    '["ready"]',
    '["ready",-1]',
    '["ready","soon"]',
    '["ready",1,2]',
    '["exec",3762429919980,21062,5]',
    '["exec",3762429919980,2.5,5,"readlink"]',
    '["exec",18446744073709551615,-1]',
    '["birth",3762429919980]',
    '[]',
    '5',
    'null',
  ])('%s is none, and dropped', (data) => {
    const line = readLine(`{"type": "value", "data": ${data}}`);
    expect(line).toMatchObject({ kind: 'dropped', reason: expect.stringContaining('an unknown event') });
  });
});

describe('maps', () => {
  test.each(['map', 'stats', 'hist'])('a line of type %s with keys is one', (type) => {
    expect(readLine(`{"type": "${type}", "data": {"@x": {"26857,230": 1, "26857,230": 2}}}`)).toEqual({
      kind: 'map',
      name: '@x',
      entries: [
        { key: '26857,230', value: 1 },
        { key: '26857,230', value: 2 },
      ],
    });
  });

  test.each([
    '{"type": "map", "data": {"@bare": 5}}',
    '{"type": "map", "data": {"@m": 18446744073709551615}}',
    '{"type": "map", "data": {"@bare": 5} }',
    '{"type": "stats", "data": {"@avg": 7}}',
    '{"type": "hist", "data": {"@h": [{"min": 2, "max": 3, "count": 5}]}}',
  ])('one without keys is dropped: %s', (line) => {
    expect(readLine(line)).toMatchObject({
      kind: 'dropped',
      reason: expect.stringContaining('without keys'),
    });
  });

  test.each([
    '{"type": "map"}',
    '{"type": "map", "data": {}}',
    '{"type": "map", "data": []}',
    '{"type": "map", "extra": 1, "data": {"@x": {"a": 1}}}',
  ])('one of an unknown shape is dropped: %s', (line) => {
    expect(readLine(line)).toMatchObject({
      kind: 'dropped',
      reason: expect.stringContaining('unknown shape'),
    });
  });
});

test('lost events are counted', () => {
  expect(readLine('{"type": "lost_events", "data": {"events": 3546}}')).toEqual({
    kind: 'lost',
    count: 3546,
  });
});

test.each(['{"type": "lost_events"}', '{"type": "lost_events", "data": {"events": "many"}}'])(
  'a loss without a number is dropped: %s',
  (line) => {
    expect(readLine(line)).toMatchObject({ kind: 'dropped' });
  },
);

test.each(['', '   ', '\t', '{"type": "attached_probes", "data": {"probes": 9}}'])(
  'nothing is said by %j',
  (line) => {
    expect(readLine(line)).toEqual({ kind: 'ignored' });
  },
);

test.each([
  '{"type": "printf", "data": "hello\\n"}',
  '{"type": "time", "data": "17\\n"}',
  '{"type": "helper_error", "msg": "Bad address", "helper": "probe_read", "retcode": -14}',
  '{"type": "toString", "data": 1}',
])('a type that is not ours is dropped by its name: %s', (line) => {
  const type = (JSON.parse(line) as { type: string }).type;
  expect(readLine(line)).toMatchObject({
    kind: 'dropped',
    reason: expect.stringContaining(`unknown type "${type}"`),
  });
});

test.each([
  'Attaching 9 probes...',
  'stdin:1:1-2: WARNING: something',
  '{"type": "map", "data": {"@calls": {"26857,230": 1, "268',
  '{"type": "value", "data": ["exit",3945662807838,26857,2',
  '}',
  'null',
  '7',
  '"map"',
  '[]',
  '{}',
  '{"type": 5}',
  '\u0000\ufffd\ufffd',
])('text that is no line of JSON with a type is dropped: %j', (line) => {
  expect(readLine(line)).toMatchObject({
    kind: 'dropped',
    reason: expect.stringContaining('not a JSON object with a type'),
  });
});

test('every prefix of a real line is dropped, and none is an exception', () => {
  const line = String.raw`{"type": "stats", "data": {"@waits": {"1,1,1,0,\n\tffffffff821f94c3 schedule+35\n,": {"count": 1, "average": 5, "total": 5}}}}`;
  for (let end = 1; end < line.length; end++) {
    expect(readLine(line.slice(0, end))).toMatchObject({ kind: 'dropped' });
  }
  expect(readLine(line)).toMatchObject({ kind: 'map' });
});

test('the reason shows what was dropped, in one short line', () => {
  const line = readLine(`a\nb${'c'.repeat(10_000)}`);
  expect(line).toMatchObject({ kind: 'dropped', reason: expect.stringContaining('"a\\nbccc') });
  expect(line.kind === 'dropped' && line.reason.length).toBeLessThan(200);
});
