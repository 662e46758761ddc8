import { describe, expect, test } from 'vitest';
import { isRun, runsAtEnd } from '../../../../../bt/profilers/offcpu/end-runs.ts';
import type { OpenRow } from '../../../../../bt/profilers/offcpu/off-maps.ts';
import { endStates } from '../../../../../metrics/threads.ts';
import { SLEEP_FACTS } from '../../../sleep-recording.ts';

const SPAN = { start: 1000, end: 9000, wall: 8000 };
const thread = (tid: number, more: Partial<OpenRow>): OpenRow => ({
  ...{ pid: 7, tid, generation: 1, state: 'S', call: undefined, isNew: false, kernel: [], user: [] },
  ...{ sinceStart: false, running: false, since: 5000, ran: 10, longest: 0, shortest: 0 },
  ...more,
});

/** A state of thread 8, read 500 ns before the end. */
const endOf = (state: string, used: number | undefined) => {
  const of = { pid: 7, tid: 8, comm: 'x', state };
  const cpu = (onCpuNs: number) => ({ onCpuNs, runDelayNs: 0 });
  const alive = [{ ...of, ...(used === undefined ? {} : { cpu: cpu(100 + used) }) }];
  const facts = { ...SLEEP_FACTS, named: [{ ...of, cpu: cpu(100) }] };
  return { alive: endStates(facts, alive, SPAN), lookedAt: SPAN.end - 500, end: SPAN.end };
};

describe('a thread at the end', () => {
  test('that is on a CPU ran until then', () => {
    expect(runsAtEnd([thread(8, { running: true })], endOf('R', 0))).toEqual({
      ran: new Map([['7:8', 4010]]),
      unseen: 0,
    });
  });

  test('that waits ran before its wait', () => {
    expect(runsAtEnd([thread(8, {})], endOf('S', 0)).ran).toEqual(new Map([['7:8', 10]]));
  });

  test('that seems to run but sleeps had a missed switch-out', () => {
    expect(runsAtEnd([thread(8, { running: true })], endOf('S', 0))).toEqual({ ran: new Map(), unseen: 1 });
  });

  test('that slept when it was read may have been switched in since', () => {
    const since = runsAtEnd([thread(8, { running: true, since: 8600 })], endOf('S', 0));
    expect(since).toEqual({ ran: new Map([['7:8', 410]]), unseen: 0 });
  });

  test('that was created since then has its run too', () => {
    const since = runsAtEnd([thread(9, { running: true, since: 8600 })], endOf('S', 0));
    expect(since.ran).toEqual(new Map([['7:9', 410]]));
  });

  test('that has exited is omitted', () => {
    expect(runsAtEnd([thread(9, { running: true })], endOf('R', 0))).toEqual({ ran: new Map(), unseen: 0 });
  });
});

test.each([
  ['ran and used a CPU', 'R', 5000, true],
  ['ran, as far as is known', 'R', undefined, true],
  ['was ready and used no CPU', 'R', 100, false],
  ['slept', 'S', 5000, false],
])('a thread that was named at the start and never seen since %s', (_, state, used, ran) => {
  expect(isRun(thread(8, { sinceStart: true }), endOf(state, used))).toBe(ran);
});
