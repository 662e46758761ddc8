import { describe, expect, test } from 'vitest';
import { PROFILERS } from '../../../bt/profilers/profiler-registry.ts';
import {
  type CapturedTick,
  captureHead,
  captureLine,
  captureRecord,
  endingRecord,
  newCaptureReader,
} from '../../../metrics/capture.ts';
import { readProfile, readSample } from '../../../metrics/profile.ts';
import {
  SLEEP_ENDING,
  SLEEP_FACTS,
  SLEEP_LINES,
  SLEEP_MAPS,
  SLEEP_SYMBOLS,
  sleepProfile,
} from '../sleep-recording.ts';

const HEAD = captureHead('0.1.0');
const BEGUN = [HEAD, captureRecord('facts', SLEEP_FACTS)];
const LINES = SLEEP_LINES.map(captureLine);
const END = [captureRecord('symbols', SLEEP_SYMBOLS), endingRecord(SLEEP_ENDING)];
const WHOLE = [...BEGUN, ...LINES, ...END];

function read(texts: readonly string[]) {
  const ticks: CapturedTick[] = [];
  const reader = newCaptureReader(PROFILERS, (tick) => ticks.push(tick));
  const lines = texts.join('').split('\n').slice(0, -1);
  const problems = lines.map(reader.line).filter((problem) => problem !== undefined);
  return { problems, ticks, capture: reader.capture() };
}

function profileOf(texts: readonly string[]) {
  const { problems, capture } = read(texts);
  expect(problems).toEqual([]);
  if (!capture) throw new Error('nothing was read');
  return readProfile(capture, capture.ending).assemble(capture.symbols);
}

describe('a capture', () => {
  test('gives the profile of its run', () => {
    expect(profileOf(WHOLE)).toEqual(sleepProfile());
  });

  test("applies the user's idle rules", () => {
    const rule = captureRecord('idle', [{ pattern: 'do_nanosleep', idle: true }]);
    const { ebpf } = profileOf([HEAD, rule, ...WHOLE.slice(1)]);
    expect(ebpf.offcpu?.idle.by_kind).toEqual({ matched: { time_ns: 100_093_609, count: 1 } });
  });

  test('has the facts of the last record', () => {
    const facts = captureRecord('facts', { ...SLEEP_FACTS, cmd: ['nap'] });
    expect(profileOf([...WHOLE, facts]).metadata.cmd).toEqual(['nap']);
  });

  test('of a killed run has what was collected until then', () => {
    const profile = profileOf([...BEGUN, ...LINES.slice(0, 4)]);
    expect(profile.metadata).toMatchObject({ incomplete: true, exit: null, cmd: ['sleep', '0.1'] });
    expect(profile.metadata.wall_time_ns).toBe(3945662807838 - 3945559760474);
    expect(profile.quality.warnings.join()).toMatch(/breaks off before the first print.*--interval/);
  });

  test('of a run killed between two prints has the last print, with its names', () => {
    const at = (type: string) => captureLine(`{"type": "value", "data": ["${type}",3945662000000]}`);
    const print = [at('tick'), ...LINES.slice(5, 9), at('tock')];
    const learnt = [captureRecord('mappings', { '26857:1': SLEEP_MAPS }), END[0] as string];
    const killed = [...BEGUN, ...LINES.slice(0, 3), ...print, ...learnt];
    const { quality, ebpf } = profileOf(killed);
    expect(quality.warnings).toEqual(['the capture breaks off: the figures are those of its last print']);
    expect(ebpf.offcpu?.frames).toEqual(sleepProfile().ebpf.offcpu?.frames);
    expect(ebpf.syscalls?.total).toBe(26);
    const { ticks } = read([...killed, at('tick')]);
    expect(ticks.map(({ spaces }) => [...spaces.keys()])).toEqual([['26857:1']]);
  });

  test('gives the samples of its intervals', () => {
    const at = (type: string, ns: number) => captureLine(`{"type": "value", "data": ["${type}",${ns}]}`);
    const print = (count: number) =>
      captureLine(`{"type": "map", "data": {"@calls": {"26857,0": ${count}}}}`);
    const { ticks } = read([
      ...BEGUN,
      ...[LINES[1] as string, at('tick', 4e12), print(3), at('tock', 4e12 + 5)],
      ...[at('tick', 5e12), print(10), at('tock', 5e12 + 5), at('tick', 6e12), print(99)],
    ]);
    const counts = ticks.map((tick, i) => {
      const { maps, tick: ended = 0 } = ticks[i - 1]?.recording ?? {};
      const earlier = maps && { maps, at: ended };
      return readSample(tick, earlier, tick.spaces).assemble(tick.symbols).ebpf.syscalls?.total;
    });
    expect(counts).toEqual([3, 7]);
  });

  test('that ends before the collection began has no result', () => {
    expect(read([HEAD, ...LINES]).capture).toBeUndefined();
    expect(read([]).capture).toBeUndefined();
  });
});

test('a capture with unknown profilers is rejected', () => {
  const facts = captureRecord('facts', { ...SLEEP_FACTS, profilers: ['offcpu', 'heap'] });
  expect(read([HEAD, facts]).problems).toEqual([expect.stringMatching(/'facts'.*"profilers\.1"/)]);
});

describe('a capture cannot be read from', () => {
  test.each([
    ['a JSON result', '{"kind":"profile","schema":"btprof/1"}', /begins with .*not a capture of btprof/],
    ['other text', 'PERFILE2\x1b[31m', /begins with "PERFILE2\\u001b\[31m"/],
    [
      'that of a newer btprof',
      HEAD.replace('"version":1', '"version":2').trim(),
      /version 2.*version 1 only/,
    ],
  ])('%s', (_, text, words) => {
    expect(read([`${text}\n`]).problems).toEqual([expect.stringMatching(words)]);
  });

  test.each([
    ['facts', captureRecord('facts', SLEEP_FACTS).replace('"run"', '"walk"'), /'facts'.*"mode"/],
    ['symbols', 'symbols {"kernel":{"1":7}}', /'symbols'.*"kernel\.1"/],
    ['JSON', 'ending {', /'ending'.*JSON/],
    ['pattern', 'idle [{"pattern":"(","idle":true}]', /'idle'/],
    ['record', 'constructor {}', /no known kind, "constructor \{\}"/],
  ])('a record with an invalid %s', (_, text, words) => {
    expect(read([HEAD, `${text.trim()}\n`]).problems).toEqual([expect.stringMatching(words)]);
  });
});
