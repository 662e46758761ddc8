import { describe, expect, test } from 'vitest';
import type { Facts } from '../../../metrics/facts.ts';
import { lifetimes, namedByTid, namesOf, spanOf } from '../../../metrics/threads.ts';
import { recordingOf, SLEEP_ENDING, SLEEP_FACTS, SLEEP_LINES } from '../sleep-recording.ts';

const START = 3945559760474;

describe('the span', () => {
  const spans = (lines: readonly string[], facts: Partial<Facts> = {}, incomplete = false) =>
    spanOf(recordingOf(lines), { ...SLEEP_FACTS, ...facts }, { ...SLEEP_ENDING, incomplete });

  test('of run goes from the exec of the command to its exit', () => {
    expect(spans(SLEEP_LINES)).toEqual({ start: START, end: 3945670370177, wall: 3945662807838 - START });
  });

  test('of a command that goes on ends with the collection', () => {
    const lines = SLEEP_LINES.filter((line) => !line.includes('"exit"'));
    expect(spans(lines).wall).toBe(3945670370177 - START);
  });

  test('of attach begins when the threads are named', () => {
    const lines = ['{"type": "value", "data": ["start",3945558000000]}', ...SLEEP_LINES];
    expect(spans(lines, { mode: 'attach' })).toMatchObject({
      start: 3945558000000,
      wall: 3945670370177 - 3945558000000,
    });
  });

  test('of a stream that broke off ends with its last print', () => {
    const tock = '{"type": "value", "data": ["tock",3945600000000]}';
    expect(spans([...SLEEP_LINES.slice(0, 3), tock], {}, true).end).toBe(3945600000000);
  });

  test('of a stream that broke off before any print is measured by our own clock', () => {
    expect(spans(SLEEP_LINES.slice(0, 3), {}, true).end).toBe(START + SLEEP_ENDING.elapsedNs);
  });

  test('of a command that was held at its entry leaves out the time for which it was stopped', () => {
    const lines = [
      '{"type": "value", "data": ["exec",11,26857,1,"a"]}',
      '{"type": "value", "data": ["entry",20,26857]}',
      '{"type": "map", "data": {"@off": {"26857": [26,26857,1,4,15,0,0]}}}',
      '{"type": "value", "data": ["ready",39]}',
      '{"type": "value", "data": ["start",40]}',
      '{"type": "value", "data": ["exit",90,26857,26857,5,"a"]}',
    ];
    expect(spans(lines).wall).toBe(90 - 11 - (40 - 26));
    expect(spans(lines.filter((line) => !line.includes('@off'))).wall).toBe(90 - 11 - (40 - 20));
  });

  test('is never negative', () => {
    const lines = [...SLEEP_LINES, '{"type": "value", "data": ["start",4503599627370496]}'];
    expect(spans(lines, { mode: 'system' }).wall).toBe(0);
  });
});

describe('names', () => {
  const exec = '{"type": "value", "data": ["exec",3762415155990,21008,1,"python3"]}';
  const fork = '{"type": "value", "data": ["fork",3762755367201,21008,21101,1]}';
  const named = [{ pid: 21008, tid: 21008, comm: 'before', state: 'S' }];

  test('are those of the start, until something newer is seen', () => {
    expect(namesOf(recordingOf([]), { ...SLEEP_FACTS, named }, []).processes.get(21008)).toBe('before');
    const later = namesOf(recordingOf([fork, exec]), { ...SLEEP_FACTS, named }, []);
    expect([...later.processes]).toEqual([
      [21008, 'python3'],
      [21101, 'python3'],
    ]);
  });

  test('of a thread do not become that of a process whose own is known', () => {
    const alive = [
      { pid: 21008, tid: 21008, comm: 'main', state: 'S' },
      { pid: 21008, tid: 21009, comm: 'worker', state: 'S' },
    ];
    const names = namesOf(recordingOf([]), SLEEP_FACTS, alive);
    expect(names.processes.get(21008)).toBe('main');
    expect(names.threads.get(21009)).toBe('worker');
    expect(names.threadCount).toBe(2);
  });

  test('of a thread stand for a process of which nothing else is known', () => {
    const names = namesOf(recordingOf([]), SLEEP_FACTS, [{ pid: 7, tid: 8, comm: 'worker' }]);
    expect(names.processes.get(7)).toBe('worker');
  });
});

test('threads that ran before are known by their numbers', () => {
  const named = [{ pid: 21008, tid: 21098, comm: 'x', state: 'S' }];
  expect([...namedByTid({ ...SLEEP_FACTS, named })]).toEqual([[21098, named[0]]]);
});

describe('lifetimes', () => {
  const LIVES: Facts['named'] = [{ pid: 10, tid: 11, comm: 'x', state: 'S' }];
  const lifetimeOf = (lines: readonly string[], named: Facts['named'], alive = LIVES) => {
    const facts = { ...SLEEP_FACTS, mode: 'attach' as const, pids: [10], startNs: 1000, named };
    const ending = { ...SLEEP_ENDING, endNs: 9000, alive };
    const span = { start: 1000, end: 9000, wall: 8000 };
    return lifetimes(recordingOf(lines), facts, ending, span).get('10:11');
  };

  test('a thread that was there all the time has all of it', () => {
    expect(lifetimeOf([], [{ pid: 10, tid: 11, comm: 'x', state: 'S' }])).toBe(8000);
  });

  test('one that came and goes on is of unknown age', () => {
    expect(lifetimeOf([], [])).toBeUndefined();
  });

  test('one that exited counts from its start, or from that of the collection', () => {
    expect(lifetimeOf(['{"type": "value", "data": ["exit",5000,10,11,3000,"x"]}'], [])).toBe(2000);
    expect(lifetimeOf(['{"type": "value", "data": ["exit",5000,10,11,500,"x"]}'], [])).toBe(4000);
  });

  test('one that has the number of another, whose end was not seen, counts from its own start', () => {
    const events = ['["thread",2000,10,11]', '["exit",5000,10,11,4990,"x"]'];
    const lines = events.map((data) => `{"type": "value", "data": ${data}}`);
    expect(lifetimeOf(lines, [], [])).toBe(10);
  });

  test('one whose end comes before the start of the collection lived no time in it', () => {
    expect(lifetimeOf(['{"type": "value", "data": ["exit",900,10,11,500,"x"]}'], [])).toBe(0);
  });

  test('one that was there is counted from its name on', () => {
    expect(lifetimeOf([], [{ pid: 10, tid: 11, comm: 'x', state: 'S', namedNs: 70 }])).toBe(7930);
  });

  test('one that ran another program ends there, and its new number begins', () => {
    const lines = [
      '{"type": "value", "data": ["thread",2000,11,12]}',
      '{"type": "value", "data": ["exit",4900,11,11,500,"x"]}',
      '{"type": "value", "data": ["renamed",5000,11,12,70]}',
    ];
    const facts = { ...SLEEP_FACTS, mode: 'run' as const, pids: [11] };
    const alive = [{ pid: 11, tid: 11, comm: 'x', state: 'S' }];
    const span = { start: 1000, end: 9000, wall: 8000 };
    expect([...lifetimes(recordingOf(lines), facts, { ...SLEEP_ENDING, alive }, span)]).toEqual([
      ['11:11', 3900 + 4000],
      ['11:12', 3000],
    ]);
  });

  test('an exit without a start time, as without BTF, tells nothing', () => {
    expect(lifetimeOf(['{"type": "value", "data": ["exit",5000,10,11,0,"x"]}'], [])).toBeUndefined();
  });
});
