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
      '["renamed",3762429919980,21062,21063,70,90,5]',
      {
        ...{ type: 'renamed', at: 3762429919980, pid: 21062, oldTid: 21063, ranNs: 70 },
        cpu: { onCpuNs: 90, runDelayNs: 5 },
      },
    ],
    [
      '["fork",3762428088228,21061,21062,4]',
      { type: 'fork', at: 3762428088228, parent: 21061, pid: 21062, generation: 4 },
    ],
    [
      '["exit",3762712780373,21008,21098,3762692064085,"sleep",1100000,2300]',
      {
        ...{ type: 'exit', at: 3762712780373, pid: 21008, tid: 21098, start: 3762692064085, comm: 'sleep' },
        cpu: { onCpuNs: 1_100_000, runDelayNs: 2300 },
      },
    ],
    ['["thread",3762712780373,21008,21098]', { type: 'thread', at: 3762712780373, pid: 21008, tid: 21098 }],
    [
      '["began",3762712780373,21008,1100000,1130000,3762712700000,2300]',
      { type: 'began', at: 3762712780373, pid: 21008, cpu: { onCpuNs: 1_180_373, runDelayNs: 2300 } },
    ],
    [
      '["began",3762712780373,21008,0,1130000,3762712700000,2300]',
      { type: 'began', at: 3762712780373, pid: 21008, cpu: { onCpuNs: 1_210_373, runDelayNs: 2300 } },
    ],
    [
      '["exit",3762712780373,21008,21098,3762692064085,"sleep"]',
      {
        ...{ type: 'exit', at: 3762712780373, pid: 21008, tid: 21098, start: 3762692064085, comm: 'sleep' },
        cpu: undefined,
      },
    ],
    [
      '["image",3945559760474,26857,1,94477970509824,266338304,260875]',
      {
        ...{ type: 'image', at: 3945559760474, pid: 26857, generation: 1, startCode: 0x55ed5ddf1000 },
        ...{ device: 266338304, inode: 260875 },
      },
    ],
    [
      '["auxv",26857,1,33,140179474968576,51,3632,16,395049983]',
      { type: 'auxv', pid: 26857, generation: 1, words: [33, 140179474968576, 51, 3632, 16, 395049983] },
    ],
    ['["auxv",26857,1]', { type: 'auxv', pid: 26857, generation: 1, words: [] }],
    [
      '["mapping",3945559960474,26857,1,139746899484672,1396736,155648,266338304,338951]',
      {
        ...{ type: 'mapping', at: 3945559960474, pid: 26857, generation: 1, start: 0x7f195c4d6000 },
        ...{ length: 1396736, fileOffset: 155648, device: 266338304, inode: 338951 },
      },
    ],
    [
      '["path",266338304,338951,0,"libc.so.6"]',
      { type: 'path', device: 266338304, inode: 338951, level: 0, name: 'libc.so.6' },
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

  test('bytes in a name that are not UTF-8 become replacement characters', () => {
    const bytes = Buffer.from('{"type": "value", "data": ["exec",7,21062,5,"caf\xc3"]}', 'latin1');
    expect(readLine(bytes.toString('utf8'))).toMatchObject({ kind: 'event', event: { comm: 'caf\ufffd' } });
  });

  test.each(['9007199254740993', '"9007199254740993"'])('a clock past 2^53 is read: %s', (at) => {
    const line = readLine(`{"type": "value", "data": ["ready",${at}]}`);
    expect(line).toEqual({ kind: 'event', event: { type: 'ready', at: 2 ** 53 } });
  });

  test('the start of a thread past 2^53 is read', () => {
    const line = readLine(
      '{"type": "value", "data": ["exit","9007199254740993",7,8,"9007199254740993","sleep"]}',
    );
    expect(line).toMatchObject({ kind: 'event', event: { at: 2 ** 53, start: 2 ** 53 } });
  });

  test('words of the auxiliary vector and mmap errors past 2^53 are read', () => {
    const words = readLine(
      '{"type": "value", "data": ["auxv",7,1,26,"18446744073709551615",16,9007199254740993]}',
    );
    expect(words).toMatchObject({ kind: 'event', event: { words: [26, 2 ** 64, 16, 2 ** 53] } });
    const line = readLine('{"type": "value", "data": ["mapping",5,7,1,18446744073709551604,1,0,0,0]}');
    expect(line).toMatchObject({ kind: 'event', event: { start: 2 ** 64 } });
  });

  test.each([
    [String.raw`"caf\uffffffc3\uffffffa9"`, 'café'],
    [String.raw`"a \"b\"\n"`, 'a "b"\n'],
    ['""', ''],
  ])('the name %s on a path is %j', (printed, name) => {
    const line = readLine(`{"type": "value", "data": ["path",266338304,338951,3,${printed}]}`);
    expect(line).toMatchObject({ kind: 'event', event: { level: 3, name } });
  });

  test.each([
    '["ready"]',
    '["ready",-1]',
    '["ready","soon"]',
    '["ready",1,2]',
    '["exec",3762429919980,21062,5]',
    '["exec",3762429919980,2.5,5,"readlink",21062]',
    '["exec",18446744073709551615,-1]',
    '["ready","-1"]',
    '["ready","1f"]',
    '["birth",3762429919980]',
    '["image",3945559760474,26857,1,94477970509824,266338304]',
    '["auxv",26857]',
    '["auxv",26857,1,33,-1]',
    '["auxv",26857,1,33,"vdso"]',
    '["mapping",3945559960474,26857,1,139746899484672,1396736,155648,266338304]',
    '["mapping",3945559960474,26857,1,139746899484672,1396736,155648,266338304,338951,0]',
    '["path",266338304,338951,"libc.so.6"]',
    '["path",266338304,338951,-1,"libc.so.6"]',
    '["path",266338304,338951,0,7]',
    '[]',
    '5',
    'null',
  ])('%s is not an event and is dropped', (data) => {
    const line = readLine(`{"type": "value", "data": ${data}}`);
    expect(line).toMatchObject({ kind: 'dropped', reason: expect.stringContaining('an unknown event') });
  });
});

describe('maps', () => {
  test.each(['map', 'stats', 'hist'])('are lines of type %s with keys', (type) => {
    expect(readLine(`{"type": "${type}", "data": {"@x": {"26857,230": 1, "26857,230": 2}}}`)).toEqual({
      kind: 'map',
      name: '@x',
      entries: [
        { key: '26857,230', value: 1 },
        { key: '26857,230', value: 2 },
      ],
    });
  });

  test('may have a value that is not JSON', () => {
    expect(readLine('{"type": "map", "data": {"@x": {"1": 1f, "2": 2}}}')).toMatchObject({
      kind: 'map',
      entries: [{ value: undefined }, { value: 2 }],
    });
  });

  test.each([
    '{"type": "map", "data": {"@bare": 5}}',
    '{"type": "map", "data": {"@bare": -5}}',
    '{"type": "map", "data": {"@bare": 1f}}',
    '{"type": "map", "data": {"@m": 18446744073709551615}}',
    '{"type":"map","data":{"@bare":5}}',
    '{"type": "stats", "data": {"@avg": 7}}  ',
  ])('without keys are ignored, because no result is one: %s', (line) => {
    expect(readLine(line)).toEqual({ kind: 'ignored' });
  });

  test.each([
    '{"type": "map"}',
    '{"type": "map", "data": {}}',
    '{"type": "map", "data": []}',
    '{"type": "map", "data": {"x": {"a": 1}}}',
    '{"type": "map", "extra": 1, "data": {"@x": {"a": 1}}}',
    '{"type": "hist", "data": {"@h": [{"min": 2, "max": 3, "count": 5}]}}',
  ])('of an unknown shape are dropped: %s', (line) => {
    expect(readLine(line)).toMatchObject({
      kind: 'dropped',
      reason: expect.stringContaining('a map that cannot be read'),
    });
  });
});

describe('lost events', () => {
  test.each([
    ['{"type": "lost_events", "data": {"events": 3546}}', 3546],
    ['{"type": "lost_events", "count": 3, "data": {"events": 3}}', 3],
    ['{"type": "lost_events", "data": {"events": "9007199254740993"}}', 2 ** 53],
  ])('are counted: %s', (line, count) => {
    expect(readLine(line)).toEqual({ kind: 'lost', count });
  });

  /** The last line is as printed by bpftrace 0.27 after a character above 0x7f: 110 events. */
  test.each([
    '{"type": "lost_events"}',
    '{"type": "lost_events", "data": {"events": "many"}}',
    '{"type": "lost_events", "data": {"events": -3}}',
    '{"type": "lost_events", "count": 6e, "data": {"events": 6e}}',
  ])('without a number are dropped: %s', (line) => {
    expect(readLine(line)).toMatchObject({ kind: 'dropped' });
  });
});

/** A full map as reported by 0.16 to 0.27, and other errors at run time. */
describe('faults', () => {
  test.each([
    [
      '{"type": "helper_error", "helper": "map_update_elem", "retcode": -7, "line": 1, "col": 2}',
      'map_update_elem failed with -7',
    ],
    [
      '{"type": "helper_error", "msg": "Map full; can\'t update element. Try increasing max_map_keys config", "helper": "map_update_elem", "retcode": -7, "line": 3, "col": 25}',
      "Map full; can't update element. Try increasing max_map_keys config",
    ],
    [
      '{"type": "helper_error", "msg": "Argument list too long", "helper": "map_update_elem", "retcode": -7, "filename": "stdin", "line": 3, "col": 25}',
      'Argument list too long',
    ],
    [
      '{"type": "runtime_error", "msg": "Divide or modulo by 0 detected.", "filename": "stdin", "line": 1, "col": 2}',
      'Divide or modulo by 0 detected.',
    ],
    [
      '{"type": "errorf", "msg": "never said by us", "filename": "stdin", "line": 1, "col": 2}',
      'never said by us',
    ],
    ['{"type": "helper_error"}', 'a helper failed with no number'],
  ])('%s', (line, message) => {
    expect(readLine(line)).toEqual({ kind: 'fault', message });
  });

  test.each(['{"type": "helper_error", "msg": 5}', '{"type": "runtime_error", "msg": null}'])(
    'of another shape are dropped: %s',
    (line) => {
      expect(readLine(line)).toMatchObject({
        kind: 'dropped',
        reason: expect.stringContaining('an error of an unknown shape'),
      });
    },
  );
});

test.each([
  '',
  '   ',
  '\t',
  '\r',
  '{"type": "attached_probes", "data": {"probes": 9}}',
  '{"type": "attached_probes", "count": 9, "data": {"probes": 9}}',
])('%j is ignored', (line) => {
  expect(readLine(line)).toEqual({ kind: 'ignored' });
});

/** 0.24 to 0.27 print compiler warnings on stdout, on several lines each. */
test.each([
  'Attaching 9 probes...',
  'stdin:3:75-91: WARNING: Return value discarded.',
  '  @off[0] = ((uint64)0, pid, (uint64)0, (uint64)0, kstack(3), ustack(3)); delete(@off[0]);',
  `${' '.repeat(74)}~~~~~~~~~~~~~~~~`,
  '}',
  'null',
  '7',
  '"map"',
  '[]',
  '"type": "map", "data": {"@calls": {"26857,230": 1}}}',
  '\u0000\ufffd\ufffd',
])('text without data is ignored as a remark: %j', (line) => {
  expect(readLine(line)).toEqual({ kind: 'ignored', remark: line.trim() });
});

test.each([
  '{"type": "printf", "data": "hello\\n"}',
  '{"type": "time", "data": "17\\n"}',
  '{"type": "tseries", "data": {"@t": {}}}',
  '{"type": "toString", "data": 1}',
  '{"data": 1, "type": "printf"}',
])('an unknown type is dropped by its name: %s', (line) => {
  const type = (JSON.parse(line) as { type: string }).type;
  expect(readLine(line)).toMatchObject({
    kind: 'dropped',
    reason: expect.stringContaining(`unknown type "${type}"`),
  });
});

test.each([
  '{"type": "value", "data": ["exit",3945662807838,26857,2',
  '{"typ',
  '{',
  '{}',
  '{"type": 5}',
  'stdin:1:1-2: WARNING: something{"type": "value", "data": ["ready",3945554148073]}',
  '{"type": "value", "data": ["ready",3945554148073]}{"type": "value", "data": ["end",3945554148073]}',
])('an unreadable line with data is dropped: %j', (line) => {
  expect(readLine(line)).toMatchObject({
    kind: 'dropped',
    reason: expect.stringContaining('not a JSON object with a type'),
  });
});

test('data after blanks is read', () => {
  expect(readLine('  {"type": "value", "data": ["end",7]}\r')).toMatchObject({ kind: 'event' });
});

test.each([
  String.raw`{"type": "stats", "data": {"@waits": {"1,1,1,0,\n\tffffffff821f94c3 schedule+35\n,": {"count": 1, "average": 5, "total": 5}}}}`,
  String.raw`{"type": "map", "data": {"@off": {"14253": [12814092570649,14253,1,1,"\nffffffff8220043e\n","\n7fae7708f503\n11e1a300\n"]}}}`,
  '{"type": "map", "data": {"@calls": {"26857,230": 1}}}',
  '{"type": "map", "data": {"@bare": 15}}',
  '{"type": "value", "data": ["exec",3762429919980,21062,5,"readlink"]}',
  '{"type": "lost_events", "count": 3, "data": {"events": 3}}',
  '{"type": "helper_error", "helper": "map_update_elem", "retcode": -7, "line": 1, "col": 2}',
])('every prefix of a real line is dropped without an exception: %s', (line) => {
  const prefixes = Array.from(line, (_, end) => line.slice(0, end)).slice(1);
  expect(prefixes.filter((prefix) => readLine(prefix).kind !== 'dropped')).toEqual([]);
  expect(readLine(line).kind).not.toBe('dropped');
});

test('the reason shows the dropped text in one short line', () => {
  const line = readLine(`{"a\nb${'c'.repeat(10_000)}`);
  expect(line).toMatchObject({ kind: 'dropped', reason: expect.stringContaining('a\\nbccc') });
  expect(line.kind === 'dropped' && line.reason.length).toBeLessThan(200);
});
