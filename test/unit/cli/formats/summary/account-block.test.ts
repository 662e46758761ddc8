import { describe, expect, test } from 'vitest';
import type { ResultLook } from '../../../../../cli/formats/format.ts';
import type { Profile } from '../../../../../metrics/schema.ts';
import { busy, linesOf, SLEEP, summaryView } from './summary-views.ts';

describe('the difference between the scheduler and btprof', () => {
  const text = (miscounted_ns: number) =>
    summaryView({
      ...SLEEP,
      account: {
        ...{ threads: 1, threads_unknown: 0, thread_time_ns: 1e9, on_cpu_ns: 3e8, off_cpu_ns: { disk: 8e8 } },
        ...{ idle_ns: {}, miscounted_ns, unaccounted_ns: 0, run_delay_ns: 0, by_thread: {} },
      },
    });

  test('is a row of the account', () => {
    expect(text(-1e8)).toMatch(
      /\n {2}on the CPU +30\.0 % .*\n {2}accounting drift +-10\.0 %\n {2}unaccounted +0\.0 %\n/,
    );
  });

  test('is omitted if it would show as 0.0 %', () => {
    expect(text(499_999)).not.toContain('accounting drift');
    expect(text(-500_001)).toContain('accounting drift');
  });
});

describe('the threads that used the most CPU time', () => {
  const thread = (comm: string | null, on_cpu_ns: number) => {
    return { comm, time_ns: 2e9, on_cpu_ns, miscounted_ns: 0, off_cpu_ns: 2e9 - on_cpu_ns };
  };
  const text = (by_thread: NonNullable<Profile['account']>['by_thread'], look: Partial<ResultLook> = {}) => {
    const account = {
      ...{ threads: 5, threads_unknown: 0, thread_time_ns: 1e10, on_cpu_ns: 3e9, off_cpu_ns: { pipe: 7e9 } },
      ...{ idle_ns: {}, miscounted_ns: 0, unaccounted_ns: 0, run_delay_ns: 0, by_thread },
    };
    return summaryView({ ...SLEEP, account }, look);
  };
  const five = {
    '7:7': thread('sh', 1e6),
    '8:8': thread('tar', 9e8),
    '9:9': thread('gz\nip', 1.9e9),
    '9:10': thread(null, 1.99e8),
    '9:11': thread('idle', 0),
  };

  test('are listed with their share of their lifetime, busiest first', () => {
    expect(text(five)).toContain(
      [
        '',
        '      time  of lifetime  top on-CPU threads (3 of 5)',
        '    1.90 s       95.0 %  9:9 gz?ip',
        '  900.0 ms       45.0 %  8:8 tar',
        '  199.0 ms       10.0 %  9:10',
        '',
        'Off-CPU: ',
      ].join('\n'),
    );
  });

  test('are all listed with -v', () => {
    expect(text(five, { verbose: true })).toMatch(
      /top on-CPU threads\n(.+\n){4} +0 ns +0\.0 % {2}9:11 idle\n\n/,
    );
  });

  test('do not include threads that ended long ago, whose CPU time is in the heading', () => {
    const { '9:9': _, ...others } = five;
    expect(text(others)).toContain(
      'top on-CPU threads (3 of 4), without 1.90 s of threads that ended long ago\n',
    );
  });

  test('keep the busiest program within 40 lines', () => {
    const by_thread = Object.fromEntries(
      Array.from({ length: 30 }, (_, i) => [`7:${i}`, thread('sleep', 1e9)]),
    );
    const account = {
      ...{
        threads: 30,
        threads_unknown: 0,
        thread_time_ns: 6e10,
        on_cpu_ns: 3e10,
        off_cpu_ns: { sleep: 3e10 },
      },
      ...{ idle_ns: {}, miscounted_ns: 0, unaccounted_ns: 0, run_delay_ns: 0, by_thread },
    };
    expect(linesOf({ ...busy(), account }).length).toBeLessThanOrEqual(40);
  });

  test('are not listed if there is only one thread', () => {
    expect(text({ '9:9': thread('gzip', 3e9) })).not.toContain('on-CPU threads');
  });
});

test('an account without threads says that their time is unknown', () => {
  const { account } = SLEEP;
  expect(account).toMatchObject({ threads: 0, threads_unknown: 1 });
  expect(summaryView(SLEEP)).toContain('\nWhere the time of 1 thread went is not known\n');
});

test('an account with only hidden waits is one sentence', () => {
  const account = {
    ...{
      threads: 1,
      threads_unknown: 0,
      thread_time_ns: 1e9,
      on_cpu_ns: 0,
      miscounted_ns: 0,
      unaccounted_ns: -5,
    },
    ...{ off_cpu_ns: { poll: 1e9 + 5 }, idle_ns: { poll: 1e9 + 5 }, run_delay_ns: 0, by_thread: {} },
  };
  expect(summaryView({ ...SLEEP, account }, { idle: 'hide' })).toContain(
    '\nAll of the 1.00 s of 1 thread was idle\n',
  );
});
