import { describe, expect, test } from 'vitest';
import { readMapLine } from '../../../parsers/entries.ts';

/** bpftrace 0.17 on `@s[ustack(perf, 1)] = count()`: processes without ASLR, so the same address in each. */
const ALIKE = String.raw`{"type": "map", "data": {"@s": {"\n\t7ffff7ea4503 0x7ffff7ea4503 ([unknown])\n": 1, "\n\t7ffff7ea4503 0x7ffff7ea4503 ([unknown])\n": 1, "\n\t7ffff7ea4503 0x7ffff7ea4503 ([unknown])\n": 1}}}`;

/** bpftrace 0.17 on `@n[comm, pid] = count()`, of a thread that renamed itself. */
const NAMES = String.raw`{"type": "map", "data": {"@n": {"a) (b \"q\"\n,562": 1, "a\\\",562": 1, "x\u001b[31m\uffffffe2\uffffff80\uffffffae,562": 1, "caf\uffffffc3\uffffffa9 a,b,562": 1}}}`;

function entriesOf(line: string) {
  const map = readMapLine(line);
  if (!map || !('entries' in map)) throw new Error(`no entries in ${line}`);
  return map.entries;
}

test('entries come in the order of the line', () => {
  const line = '{"type": "map", "data": {"@longest": {"21057,21057": 224435, "21098,21008": 20065187}}}';
  expect(readMapLine(line)).toEqual({
    name: '@longest',
    entries: [
      { key: '21057,21057', value: 224435 },
      { key: '21098,21008', value: 20065187 },
    ],
  });
});

describe('keys that print alike', () => {
  test('each is an entry of its own, where JSON.parse would keep one', () => {
    expect(entriesOf(ALIKE)).toHaveLength(3);
    expect(Object.keys(JSON.parse(ALIKE).data['@s'])).toHaveLength(1);
  });

  test('their values keep apart', () => {
    expect(entriesOf('{"type": "map", "data": {"@x": {"": 3, "": 5, "a": 1, "": 7}}}')).toEqual([
      { key: '', value: 3 },
      { key: '', value: 5 },
      { key: 'a', value: 1 },
      { key: '', value: 7 },
    ]);
  });
});

test('quotes, backslashes, newlines, commas and parentheses in keys are read as JSON says', () => {
  expect(entriesOf(NAMES).map((entry) => entry.key)).toEqual([
    'a) (b "q"\n,562',
    'a\\",562',
    'x\u001b[31m\uffffffe2\uffffff80\uffffffae,562',
    'caf\uffffffc3\uffffffa9 a,b,562',
  ]);
});

test('a backslash at the end of a key does not escape its quote', () => {
  expect(entriesOf(String.raw`{"type": "map", "data": {"@n": {"a\\": 1, "b\\\"": 2}}}`)).toEqual([
    { key: 'a\\', value: 1 },
    { key: 'b\\"', value: 2 },
  ]);
});

test('a key that looks like the end of the map does not end it', () => {
  expect(entriesOf('{"type": "map", "data": {"@x": {"}}": 1, "{\\"a\\": [": 2}}}')).toEqual([
    { key: '}}', value: 1 },
    { key: '{"a": [', value: 2 },
  ]);
});

test('values may be objects, arrays and strings that hold braces, brackets and commas', () => {
  const line = String.raw`{"type": "map", "data": {"@off": {"27083": [3952039677170,27083,1,1,"\n\tffffffff8220043e do_nanosleep+94\n","},],\""], "27084": {"count": 1, "average": 5, "total": 5}}}}`;
  expect(entriesOf(line)).toEqual([
    { key: '27083', value: [3952039677170, 27083, 1, 1, '\n\tffffffff8220043e do_nanosleep+94\n', '},],"'] },
    { key: '27084', value: { count: 1, average: 5, total: 5 } },
  ]);
});

test('an empty map has no entries', () => {
  expect(readMapLine('{"type": "map", "data": {"@off": {}}}')).toEqual({ name: '@off', entries: [] });
});

test.each([
  ['{"type": "map", "data": {"@bare": 5}}', '@bare', 5],
  ['{"type": "stats", "data": {"@avg": 7}}', '@avg', 7],
  [
    '{"type": "hist", "data": {"@h": [{"min": 2, "max": 3, "count": 5}]}}',
    '@h',
    [{ min: 2, max: 3, count: 5 }],
  ],
  ['{"type": "map", "data": {"@": "a}}b"} }', '@', 'a}}b'],
])('a map without keys has its bare value: %s', (line, name, value) => {
  expect(readMapLine(line)).toEqual({ name, value });
});

test('white space of any kind between tokens changes nothing', () => {
  expect(entriesOf('{"type":"map","data":{"@x":{\t"a" :\n1 ,"b":2 }}}')).toEqual([
    { key: 'a', value: 1 },
    { key: 'b', value: 2 },
  ]);
});

test.each([
  '{"type": "value", "data": ["ready",3945554148073]}',
  '{"type": "attached_probes", "data": {"probes": 9}}',
  '{"data": {"@x": {}}, "type": "map"}',
  '{"type": "map", "data": {"x": {"a": 1}}}',
  '',
])('a line of another shape is no map: %s', (line) => {
  expect(readMapLine(line)).toBeUndefined();
});
