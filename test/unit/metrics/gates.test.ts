import { describe, expect, test } from 'vitest';
import { PROFILERS } from '../../../bt/profilers/profiler-registry.ts';
import { BtprofError, UsageError } from '../../../metrics/errors.ts';
import { judgeGate, parseGate } from '../../../metrics/gates.ts';
import { metricOf } from '../../../metrics/metric-path.ts';
import { REASONS } from '../../../metrics/reasons.ts';
import type { Profile } from '../../../metrics/schema.ts';
import type { Sides } from '../../../metrics/sides.ts';
import { recorded, sideOf } from './recorded-profiles.ts';

const BASE = recorded('0.17', 'sleepers');

/** This many calls of read, and this many ns in a lock. */
function profile({ reads = 100, lock = 1e9 }: { reads?: number; lock?: number } = {}): Profile {
  const copy = structuredClone(BASE);
  const { syscalls, offcpu } = copy.ebpf;
  if (syscalls) syscalls.by_syscall = { read: { count: reads } };
  if (offcpu) offcpu.by_reason = { lock: { time_ns: lock, count: 23 } };
  return copy;
}

function sides(before: readonly Profile[], after: readonly Profile[]): Sides {
  return { before: before.map((p) => sideOf(p, 'old.json')), after: after.map((p) => sideOf(p, 'new.json')) };
}

const locks = (before: number[], after: number[]) =>
  sides(
    before.map((lock) => profile({ lock })),
    after.map((lock) => profile({ lock })),
  );
const parse = (text: string) => parseGate(text, PROFILERS);
const judge = (text: string, of: Sides) => judgeGate(parse(text), of, PROFILERS);

test.each(['before', 'after'] as const)('a gate is not judged if the result %s is incomplete', (side) => {
  const whole = profile();
  const cut = { ...whole, metadata: { ...whole.metadata, incomplete: true } };
  const [before, after] = side === 'before' ? [cut, whole] : [whole, cut];
  const file = side === 'before' ? 'old.json' : 'new.json';
  expect(() => judge('lock>+20%', sides([before], [after]))).toThrow(
    `the gate "lock>+20%" cannot be judged: "${file}" is incomplete.`,
  );
});

describe('a gate is parsed from', () => {
  test.each([
    ['lock>+20%', 'lock', true, 'relative', 0.2],
    ['lock<-50%', 'lock', false, 'relative', -0.5],
    ['lock>+50ms', 'lock', true, 'change', 50e6],
    [' lock > 1.5s ', 'lock', true, 'level', 1.5e9],
    ['lock>0', 'lock', true, 'level', 0],
    ['offcpu.total_time_ns>2us', 'offcpu.total_time_ns', true, 'level', 2000],
    ['syscalls.by_syscall.read.count>+100', 'syscalls.by_syscall.read.count', true, 'change', 100],
    ['syscalls.total<10', 'syscalls.total', false, 'level', 10],
    ['syscalls.analysis.io_intensity>0.5', 'syscalls.analysis.io_intensity', true, 'level', 0.5],
  ])('%s', (text, metric, above, of, limit) => {
    expect(parse(text)).toEqual({ text, metric, above, of, limit });
  });

  test.each([
    ['', /is not METRIC/],
    ['lock', /is not METRIC/],
    ['lock>=2s', /is not METRIC/],
    ['lock>', /is not METRIC/],
    ['>+20%', /is not METRIC/],
    ['lock>1e9', /is not METRIC/],
    ['lock>20%', /without a sign/],
    ['lock>2', /needs a unit/],
    ['lock>2parsec', /has the unit 'parsec'/],
    ['lock>2constructor', /has the unit/],
    ['lokc>2s', /is about "lokc", which is not a metric/],
    ['constructor>+2', /which is not a metric/],
    ['syscalls.total>2s', /syscalls\.total is not a time/],
  ])('%j is a usage error', (text, message) => {
    expect(() => parse(text)).toThrow(UsageError);
    expect(() => parse(text)).toThrow(message);
  });
});

describe('one run on each side', () => {
  test.each([
    ['lock>+20%', 1e9, 1.21e9, true],
    ['lock>+20%', 1e9, 1.2e9, false],
    ['lock>+20%', 0, 1, true],
    ['lock>+20%', 0, 0, false],
    ['lock<-50%', 1e9, 0.4e9, true],
    ['lock<-50%', 1e9, 2e9, false],
    ['lock>+100ms', 1e9, 1.2e9, true],
    ['lock>2s', 3e9, 1e9, false],
    ['lock>2s', 1e9, 3e9, true],
    ['lock>-10%', 1e9, 1e9, true],
    ['lock>-10%', 1e9, 0.8e9, false],
  ])('%s, from %d to %d ns: crossed is %s', (text, before, after, crossed) => {
    expect(judge(text, locks([before], [after])).crossed).toBe(crossed);
  });

  test('waits that had not ended count too', () => {
    const blocked = profile();
    const [open] = recorded('0.17', 'deadlock').ebpf.offcpu?.still_blocked ?? [];
    if (open) blocked.ebpf.offcpu?.still_blocked.push({ ...open, reason: 'lock', blocked_ns: 5e9 });
    expect(judge('lock>5.9s', sides([profile()], [blocked])).crossed).toBe(true);
  });

  test.each([...REASONS.map((reason) => `${reason}>+0%`), 'syscalls.total>+0%', 'metadata.wall_time_ns<-0%'])(
    'a profile compared with itself does not cross %s',
    (text) => {
      expect(judge(text, sides([BASE], [BASE])).crossed).toBe(false);
    },
  );
});

describe('several runs', () => {
  test('are compared by medians if the ranges do not overlap', () => {
    expect(judge('lock>+20%', locks([1e9, 1.1e9, 1.3e9], [1.4e9, 1.5e9, 1.6e9])).crossed).toBe(true);
    expect(judge('lock>+20%', locks([1e9, 1.1e9, 1.5e9], [1.4e9, 1.5e9, 1.6e9])).crossed).toBe(false);
  });

  test('only meet a demanded change if it is more than chance', () => {
    expect(judge('lock>-10%', locks([1e9, 1.2e9], [1e9, 1.1e9])).crossed).toBe(true);
    expect(judge('lock>-10%', locks([1e9, 1.2e9], [0.5e9, 0.6e9])).crossed).toBe(false);
  });

  test('cross a level by their median', () => {
    expect(judge('lock>2s', locks([9e9, 9e9], [1e9, 1.5e9, 9e9])).crossed).toBe(false);
    expect(judge('lock>2s', locks([9e9, 9e9], [1e9, 3e9, 9e9])).crossed).toBe(true);
  });
});

describe('metrics', () => {
  test.each([
    ['syscalls.by_syscall.read.count', 100],
    ['syscalls.by_syscall.fsync.count', 0],
    ['ebpf.syscalls.by_syscall.fsync.count', 0],
    ['metadata.wall_time_ns', BASE.metadata.wall_time_ns],
    ['account.on_cpu_ns', BASE.account?.on_cpu_ns],
    ['offcpu.by_reason.disk.time_ns', 0],
    ['account.off_cpu_ns.disk', 0],
    ['disk', 0],
    ['lock', 1e9],
    ['syscalls.by_syscall.raed.count', undefined],
    ['syscalls.by_syscall.read.coutn', undefined],
    ['offcpu.stacks.0.time_ns', undefined],
    ['offcpu.stacks.length', undefined],
    ['constructor.name', undefined],
    ['constructor.length', undefined],
    ['__proto__', undefined],
    ['syscalls.by_syscall.constructor.length', undefined],
    ['syscalls', undefined],
    ['', undefined],
  ])('%s is %s', (metric, value) => {
    expect(metricOf(profile(), metric, PROFILERS)).toBe(value);
  });

  test('can have names with dots', () => {
    const dotted = profile();
    if (dotted.ebpf.offcpu) dotted.ebpf.offcpu.undecided = { 'wait.isra.0': { time_ns: 7, count: 1 } };
    expect(metricOf(dotted, 'offcpu.undecided.wait.isra.0.time_ns', PROFILERS)).toBe(7);
  });

  test('that no result has are a usage error with similar names', () => {
    const all = sides([profile()], [profile()]);
    expect(() => judge('lok.time>+20%', all)).toThrow(/"lok.time", which no result has/);
    try {
      judge('syscalls.by_syscall.raed.count>+1', all);
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({
        status: 2,
        hint: expect.stringContaining('syscalls.by_syscall.read.count'),
      });
    }
  });

  test('that only some results have are a different error', () => {
    const without = profile();
    delete without.account;
    const half = () => judge('account.on_cpu_ns>+1ms', sides([profile()], [without]));
    expect(half).toThrow(/"new\.json" has no account\.on_cpu_ns/);
    expect(half).toThrow(BtprofError);
    expect(half).not.toThrow(UsageError);
  });

  test('appear without control characters in errors', () => {
    const hostile = profile();
    if (hostile.ebpf.offcpu) hostile.ebpf.offcpu.undecided = { '\u001b[2J': { time_ns: 7, count: 1 } };
    try {
      judge('offcpu.undecided.\u001b[2J.coun>1', sides([hostile], [hostile]));
      expect.unreachable();
    } catch (error) {
      expect(`${(error as BtprofError).message}${(error as BtprofError).hint}`).not.toContain('\u001b');
    }
  });
});
