import { expect, test } from 'vitest';
import { PROFILERS } from '../../../bt/profilers/profiler-registry.ts';
import { storedEnding } from '../../../metrics/capture.ts';
import { type KeptRun, replay } from '../../../metrics/replay.ts';
import { noSymbols } from '../../../metrics/symbols.ts';
import { SLEEP_ENDING, SLEEP_FACTS, SLEEP_LINES, SLEEP_SYMBOLS, sleepProfile } from '../sleep-recording.ts';

const RUN: KeptRun = {
  ...{ facts: SLEEP_FACTS, ending: storedEnding(SLEEP_ENDING), lines: SLEEP_LINES },
  symbols: SLEEP_SYMBOLS,
};

test('a stored run gives the profile of the run', () => {
  expect(replay(RUN, PROFILERS)).toEqual(sleepProfile());
  expect(replay(JSON.parse(JSON.stringify(RUN)), PROFILERS)).toEqual(sleepProfile());
});

test('an unregistered profiler has no part', () => {
  const profile = replay(
    RUN,
    PROFILERS.filter(({ name }) => name === 'syscalls'),
  );
  expect(Object.keys(profile.ebpf)).toEqual(['syscalls']);
  expect(profile.account).toBeUndefined();
});

test('a profile requests the symbols of its frames, in the kernel and in user code', () => {
  const symbols = SLEEP_SYMBOLS;
  expect(Object.keys(symbols.kernel)).toHaveLength(10);
  expect(symbols.kernel).toMatchObject({ ffffffff8220043d: { symbol: 'do_nanosleep', offset: 93 } });
  expect(symbols.user).toEqual({
    'fe:00 338951+849155': { symbol: 'clock_nanosleep', offset: 35 },
  });
});

test('without symbols, figures are the same, and frames and reasons have no names', () => {
  const { ebpf } = replay({ ...RUN, symbols: noSymbols() }, PROFILERS);
  const { offcpu } = sleepProfile().ebpf;
  const nameless = offcpu?.stacks.map((row) => (row.reason === 'sleep' ? { ...row, reason: 'other' } : row));
  expect(ebpf.offcpu?.stacks).toEqual(nameless);
  expect(ebpf.offcpu?.frames.map((frame) => frame.symbol).filter(Boolean)).toEqual([]);
});
