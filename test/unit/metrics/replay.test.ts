import { expect, test } from 'vitest';
import { storedEnding } from '../../../metrics/capture.ts';
import { assembleProfile } from '../../../metrics/profile.ts';
import { replay } from '../../../metrics/replay.ts';
import { keepingSymbols, noSymbols } from '../../../metrics/symbols.ts';
import {
  recordingOf,
  SLEEP_ENDING,
  SLEEP_FACTS,
  SLEEP_LINES,
  SLEEP_SYMBOLS,
  sleepProfile,
} from '../sleep-recording.ts';

const RUN = { facts: SLEEP_FACTS, ending: storedEnding(SLEEP_ENDING), lines: SLEEP_LINES };

/** The symbols that the profile asks for. */
function symbolsAsked() {
  const { symbols, take } = keepingSymbols(SLEEP_SYMBOLS);
  assembleProfile(recordingOf(SLEEP_LINES), SLEEP_FACTS, SLEEP_ENDING, symbols);
  return take();
}

test('a kept run gives the profile that the run gave', () => {
  const symbols = symbolsAsked();
  expect(replay({ ...RUN, symbols })).toEqual(sleepProfile());
  expect(replay(JSON.parse(JSON.stringify({ ...RUN, symbols })))).toEqual(sleepProfile());
});

test('it keeps the symbols of its frames: of the kernel, and of user code', () => {
  const symbols = symbolsAsked();
  expect(Object.keys(symbols.kernel)).toHaveLength(10);
  expect(symbols.kernel).toMatchObject({ ffffffff8220043d: { symbol: 'do_nanosleep', offset: 93 } });
  expect(symbols.user).toEqual({
    'fe:00 338951+849155': { symbol: 'clock_nanosleep', offset: 35 },
  });
});

test('without symbols the figures are the same, and neither frames nor waits have names', () => {
  const { ebpf } = replay({ ...RUN, symbols: noSymbols() });
  const { offcpu } = sleepProfile().ebpf;
  const nameless = offcpu?.stacks.map((row) => (row.reason === 'sleep' ? { ...row, reason: 'other' } : row));
  expect(ebpf.offcpu?.stacks).toEqual(nameless);
  expect(ebpf.offcpu?.frames.map((frame) => frame.symbol).filter(Boolean)).toEqual([]);
});
