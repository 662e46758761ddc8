import { describe, expect, test } from 'vitest';
import { kernelKeys, type MapEntry, parseJson, readMapLine } from '../../../parsers/entries.ts';

/** bpftrace 0.17, `@s[ustack(perf, 1)] = count()`: processes without ASLR, so they have the same address. */
const SAME_ADDRESS = String.raw`{"type": "map", "data": {"@s": {"\n\t7ffff7ea4503 0x7ffff7ea4503 ([unknown])\n": 1, "\n\t7ffff7ea4503 0x7ffff7ea4503 ([unknown])\n": 1, "\n\t7ffff7ea4503 0x7ffff7ea4503 ([unknown])\n": 1}}}`;

/** bpftrace 0.17, `@n[comm, pid] = count()`: a thread that renamed itself. */
const NAMES = String.raw`{"type": "map", "data": {"@n": {"a) (b \"q\"\n,562": 1, "a\\\",562": 1, "x\u001b[31m\uffffffe2\uffffff80\uffffffae,562": 1, "caf\uffffffc3\uffffffa9 a,b,562": 1}}}`;

/** A wait of sleep and one of a thread without user code, by version of bpftrace. */
const WAITS = {
  '0.17': String.raw`{"type": "stats", "data": {"@waits": {"14160,14160,1,1,\n\tffffffff821f94c3 schedule+35\n\tffffffff8220043e do_nanosleep+94\n,\n\t7f27b6b8a503 0x7f27b6b8a503 ([unknown])\n": {"count": 1, "average": 5, "total": 5}, "14196,14196,1,32,\n\tffffffff8135dd4d do_exit+1869\n,": {"count": 1, "average": 5, "total": 5}}}}`,
  '0.23': String.raw`{"type": "stats", "data": {"@waits": {"14253,14253,1,1,\\nffffffff821f94c3\\nffffffff8220043e\\n,\\n7fae7708f503\\n11e1a300\\n": {"count": 1, "average": 5, "total": 5}, "14252,14252,1,32,\\nffffffff8135dd4d\\n,\\n": {"count": 1, "average": 5, "total": 5}}}}`,
  '0.27': String.raw`{"type": "stats", "data": {"@waits": {"14405,14405,1,1,\nffffffff821f94c3\nffffffff8220043e\n,\n7f1be6ab4503\n11e1a300\n": {"count": 1, "average": 5, "total": 5}, "14405,14405,1,32,\nffffffff8135dd4d\n,\n": {"count": 1, "average": 5, "total": 5}}}}`,
};

/** Waits in progress of sleep, and of a thread without user code, by version. */
const OFF = {
  '0.17': String.raw`{"type": "map", "data": {"@off": {"6661": [12809692181660,6661,1,128,"\n\tffffffff81389be8 kthread+248\n",""], "14160": [12807043955442,14160,1,1,"\n\tffffffff8220043e do_nanosleep+94\n","\n\t7f27b6b8a503 0x7f27b6b8a503 ([unknown])\n"]}}}`,
  '0.27': String.raw`{"type": "map", "data": {"@off": {"10": ["9007199254740993",10,1,128,"\nffffffff81389be8\n","\n"], "14271": [12817274457476,14271,1,1,"\nffffffff8220043e\n","\n7f724f283503\n42c1d81\n"]}}}`,
};

const CALLS = '{"type": "map", "data": {"@calls": {"26857,230": 1, "26857,-1": 3}}}';

/** bpftrace 0.17, `@took[cpu] = hist(…)`: empty buckets between two others are printed. */
const HISTOGRAMS =
  '{"type": "hist", "data": {"@took": {"0": [{"min": 2, "max": 3, "count": 2}, {"min": 4, "max": 7, "count": 0}, {"min": 8, "max": 15, "count": 1}], "1": [{"max": -1, "count": 1}, {"min": 0, "max": 0, "count": 3}]}}}';

function entriesOf(line: string): readonly MapEntry[] {
  const map = readMapLine(line);
  if (!map) throw new Error(`no entries in ${line}`);
  return map.entries;
}

test('entries are in the order of the line', () => {
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
  test('are separate entries, although JSON.parse would keep only one', () => {
    expect(entriesOf(SAME_ADDRESS)).toHaveLength(3);
    expect(Object.keys(JSON.parse(SAME_ADDRESS).data['@s'])).toHaveLength(1);
  });

  test('keep their own values', () => {
    expect(entriesOf('{"type": "map", "data": {"@x": {"": 3, "": 5, "a": 1, "": 7}}}')).toEqual([
      { key: '', value: 3 },
      { key: '', value: 5 },
      { key: 'a', value: 1 },
      { key: '', value: 7 },
    ]);
  });
});

describe('a key is the exact text of the line', () => {
  test('with its quotes, backslashes, newlines, commas, parentheses and mangled bytes', () => {
    expect(entriesOf(NAMES).map((entry) => entry.key)).toEqual([
      String.raw`a) (b \"q\"\n,562`,
      String.raw`a\\\",562`,
      String.raw`x\u001b[31m\uffffffe2\uffffff80\uffffffae,562`,
      String.raw`caf\uffffffc3\uffffffa9 a,b,562`,
    ]);
  });

  test('with its stacks, in every version', () => {
    expect(entriesOf(WAITS['0.17'])[1]?.key).toBe(
      String.raw`14196,14196,1,32,\n\tffffffff8135dd4d do_exit+1869\n,`,
    );
    expect(entriesOf(WAITS['0.23'])[1]?.key).toBe(String.raw`14252,14252,1,32,\\nffffffff8135dd4d\\n,\\n`);
    expect(entriesOf(WAITS['0.27'])[1]?.key).toBe(String.raw`14405,14405,1,32,\nffffffff8135dd4d\n,\n`);
  });

  test('with replacement characters for bytes that are not UTF-8', () => {
    const bytes = Buffer.from('{"type": "map", "data": {"@n": {"caf\xc3,562": 1}}}', 'latin1');
    expect(entriesOf(bytes.toString('utf8'))).toEqual([{ key: 'caf\ufffd,562', value: 1 }]);
  });

  test('also when it ends in a backslash', () => {
    expect(entriesOf(String.raw`{"type": "map", "data": {"@n": {"a\\": 1, "b\\\"": 2}}}`)).toEqual([
      { key: String.raw`a\\`, value: 1 },
      { key: String.raw`b\\\"`, value: 2 },
    ]);
  });

  test('also when it looks like the end of the map', () => {
    expect(entriesOf(String.raw`{"type": "map", "data": {"@x": {"}}}": 1, "{\"a\": [": 2}}}`)).toEqual([
      { key: '}}}', value: 1 },
      { key: String.raw`{\"a\": [`, value: 2 },
    ]);
  });
});

describe('values', () => {
  test('may be objects, arrays and strings that contain braces, brackets, commas and quotes', () => {
    const line = String.raw`{"type": "map", "data": {"@x": {"1": [7,"},],\"","\\"], "2": {"a": {"b": "}}}"}}, "3": "a, b"}}}`;
    expect(entriesOf(line)).toEqual([
      { key: '1', value: [7, '},],"', '\\'] },
      { key: '2', value: { a: { b: '}}}' } } },
      { key: '3', value: 'a, b' },
    ]);
  });

  test('of waits in progress have newlines in their stacks', () => {
    expect(entriesOf(OFF['0.17'])[0]?.value).toEqual([
      ...[12809692181660, 6661, 1, 128],
      ...['\n\tffffffff81389be8 kthread+248\n', ''],
    ]);
    expect(entriesOf(OFF['0.27'])[1]?.value).toEqual([
      ...[12817274457476, 14271, 1, 1],
      ...['\nffffffff8220043e\n', '\n7f724f283503\n42c1d81\n'],
    ]);
  });

  test.each([
    ['9007199254740993', 2 ** 53],
    ['"9007199254740993"', '9007199254740993'],
    ['18446744073709551615', 2 ** 64],
    ['-1', -1],
    ['null', null],
  ])('%s is read as JSON', (text, value) => {
    expect(entriesOf(`{"type": "map", "data": {"@x": {"1": ${text}}}}`)).toEqual([{ key: '1', value }]);
  });

  /** bpftrace 0.27 after it printed a character above 0x7f, after which `std::hex` stays on. */
  test.each([
    ['map', '1f'],
    ['stats', '{"count": 2, "average": 19, "total": 4d}'],
    ['hist', '[{"min": 16, "max": 31, "count": 4d}]'],
    ['map', ''],
    ['map', 'nan'],
  ])('of a %s that are not JSON make only their own entry undefined: %s', (type, text) => {
    const line = `{"type": "${type}", "data": {"@x": {"30": 7, "31": ${text}, "32": 9}}}`;
    expect(entriesOf(line)).toEqual([
      { key: '30', value: 7 },
      { key: '31', value: undefined },
      { key: '32', value: 9 },
    ]);
  });
});

test('an empty map has no entries', () => {
  expect(readMapLine('{"type": "map", "data": {"@off": {}}}')).toEqual({ name: '@off', entries: [] });
});

test.each([
  '{"type":"map","data":{"@x":{"a":1,"b":2}}}',
  '{"type": "map", "data": {"@x": {"a": 1,  "b": 2}}}  ',
])('blanks after commas and colons, and at the end, are allowed: %s', (line) => {
  expect(entriesOf(line)).toEqual([
    { key: 'a', value: 1 },
    { key: 'b', value: 2 },
  ]);
});

test.each([
  '{"type": "map", "data": {"@bare": 5}}',
  '{"type": "hist", "data": {"@h": [{"min": 2, "max": 3, "count": 5}]}}',
  '{"type": "map", "data": {"@": "a}}b"}}',
])('a map without keys is ignored: %s', (line) => {
  expect(readMapLine(line)).toBeUndefined();
});

test.each([
  '{"type": "value", "data": ["ready",3945554148073]}',
  '{"type": "attached_probes", "data": {"probes": 9}}',
  '{"data": {"@x": {}}, "type": "map"}',
  '{"type": "map", "data": {"x": {"a": 1}}}',
  '{"type": "map", "data": {"@x": {a: 1}}}',
  '{"type": "map", "data": {"@x": {"a" 1}}}',
  '{"type": "map", "data": {"@x": {"a": 1}}} {"type": "map"}',
  'Attaching 9 probes...',
  '',
])('a line of another shape is ignored: %s', (line) => {
  expect(readMapLine(line)).toBeUndefined();
});

test.each([
  ['of counts', CALLS],
  ['with odd names', NAMES],
  ['with keys alike', SAME_ADDRESS],
  ...Object.entries(WAITS).map(([version, line]) => [`of waits, bpftrace ${version}`, line]),
  ...Object.entries(OFF).map(([version, line]) => [`of waits in progress, bpftrace ${version}`, line]),
] as [string, string][])('a truncated line is ignored: one %s', (_, line) => {
  const prefixes = Array.from(line, (_, end) => line.slice(0, end));
  expect(prefixes.filter((prefix) => readMapLine(prefix))).toEqual([]);
  expect(readMapLine(line)).toBeDefined();
});

test.each([
  ['{"a": [1, "b"]}', { a: [1, 'b'] }],
  ['1f', undefined],
  ['{"a": ', undefined],
  ['', undefined],
])('the JSON %j is %j', (text, value) => {
  expect(parseJson(text)).toEqual(value);
});

test.each([
  ['counts', CALLS, 2],
  ['tuples', OFF['0.17'], 2],
  ['histograms: one for each bucket that is not empty', HISTOGRAMS, 4],
  ['nothing', '{"type": "map", "data": {"@calls": {}}}', 0],
  ['what is not a bucket', '{"type": "map", "data": {"@took": {"1": [null], "2": [{"count": 1}, null]}}}', 2],
])('the number of keys in the kernel is counted for %s', (_, line, keys) => {
  expect(kernelKeys(entriesOf(line))).toBe(keys);
});
