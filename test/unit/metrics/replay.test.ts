import { describe, expect, test } from 'vitest';
import { replay, symbolsNeeded } from '../../../metrics/replay.ts';
import { parseKernelSymbols } from '../../../parsers/kernel-symbols.ts';
import { SLEEP_ENDING, SLEEP_FACTS, SLEEP_LINES, SLEEP_SYMBOLS, sleepProfile } from '../sleep-recording.ts';

const RUN = { facts: SLEEP_FACTS, ending: SLEEP_ENDING, lines: SLEEP_LINES };

test('a kept run gives the profile that the run gave', () => {
  const kernelSymbols = symbolsNeeded(SLEEP_LINES, SLEEP_SYMBOLS);
  expect(replay({ ...RUN, kernelSymbols })).toEqual(sleepProfile());
  expect(replay(JSON.parse(JSON.stringify({ ...RUN, kernelSymbols })))).toEqual(sleepProfile());
});

test('without symbols the figures are the same, and the frames have no names', () => {
  const { ebpf } = replay({ ...RUN, kernelSymbols: '' });
  const { offcpu } = sleepProfile().ebpf;
  expect(ebpf.offcpu?.stacks).toEqual(offcpu?.stacks);
  expect(ebpf.offcpu?.frames.map((frame) => frame.symbol).filter(Boolean)).toEqual([]);
});

describe('the symbols that lines need', () => {
  const SYMBOLS = parseKernelSymbols(`\
ffffffff821f94a0 T schedule
ffffffff822003e0 t do_nanosleep
ffffffff8143f3d0 T futex_do_wait
ffffffffc0401081 t ext4_read_bh\t[ext4]
`);

  test.each([
    [
      'perf',
      String.raw`{"@waits": {"1,1,1,1,\n\tffffffff8220043e do_nanosleep+94\n\tffffffff821f94c3 schedule+35\n,": 1}}`,
    ],
    ['raw', String.raw`{"@waits": {"1,1,1,1,\nffffffff8220043e\nffffffff821f94c3\n,\n7f195c57f503\n": 1}}`],
    [
      'twice escaped raw',
      String.raw`{"@waits": {"1,1,1,1,\\nffffffff8220043e\\nffffffff821f94c3\\n,\\n": 1}}`,
    ],
  ])('are the rows that name addresses of their stacks, once each and in order: %s mode', (_, line) => {
    const rows = 'ffffffff821f94a0 T schedule\nffffffff822003e0 t do_nanosleep\n';
    expect(symbolsNeeded([line, line], SYMBOLS)).toBe(rows);
  });

  test('are those of modules, too', () => {
    expect(symbolsNeeded([String.raw`"\nffffffffc0401123\n"`], SYMBOLS)).toBe(
      'ffffffffc0401081 t ext4_read_bh\t[ext4]\n',
    );
  });

  test.each([
    String.raw`"\n7f195c57f503\n5f5e100\n"`,
    String.raw`"\nffffffff00000000\n"`,
    '{"type": "value", "data": ["ready",3945554148073]}',
    '',
  ])('are none in %s', (line) => {
    expect(symbolsNeeded([line], SYMBOLS)).toBe('');
  });
});
