import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import type { Offcpu } from '../../bt/profilers/offcpu/off-schema.ts';
import { REASONS } from '../../metrics/reasons.ts';
import { KINDS } from '../kinds-of-waits.ts';
import { profile, sum, temporaryFile, workload } from './btprof.ts';

/** Its waits are short: the kernel decides when a thread must wait for the lock of its address space. */
const SHORT: Readonly<Record<string, string>> = { 'w-mmap_lock': 'lock' };

/**
 * The reason of the longest wait of each main thread, or of any wait where they are short. Waits for a CPU count only in the
 * program that spins.
 */
function reasons({ stacks, thread_stats }: Offcpu): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { pid, tid, reason } of stacks) {
    const kind = thread_stats[`${pid}:${tid}`]?.comm ?? '';
    if (pid === tid && SHORT[kind] === reason) found[kind] = reason;
    if (pid !== tid || found[kind] || SHORT[kind] || (reason === 'preempted') !== (kind === 'w-spin'))
      continue;
    found[kind] = reason;
  }
  return found;
}

test('every kind of wait has its reason', async () => {
  const directory = dirname(temporaryFile('w'));
  const { ebpf } = await profile(['run', 'sh', 'fixtures/workloads/waits.sh', workload('waits'), directory]);
  const offcpu = ebpf.offcpu as Offcpu;
  const expected = Object.entries(KINDS).flatMap(([reason, kinds]) =>
    kinds.map((kind) => [`w-${kind}`, reason]),
  );
  expect(reasons(offcpu)).toMatchObject(Object.fromEntries(expected));
  expect(Object.keys(offcpu.by_reason).sort()).toEqual([...REASONS].sort());
  expect(sum(Object.values(offcpu.by_reason).map(({ time_ns }) => time_ns))).toBe(offcpu.total_time_ns);
  expect(sum(Object.values(offcpu.undecided).map(({ count }) => count))).toBe(offcpu.by_reason.other?.count);
  expect(Object.keys(offcpu.undecided)).toEqual(
    expect.arrayContaining([expect.stringContaining('sigtimedwait'), expect.stringContaining('pause')]),
  );
});

test('without stacks, only the state is known', async () => {
  const { ebpf } = await profile(['run', '--no-stacks', 'sleep', '0.05']);
  expect(ebpf.offcpu?.by_reason.other?.time_ns).toBeGreaterThan(5e7);
  expect(Object.keys(ebpf.offcpu?.undecided ?? {})).toEqual(['unknown']);
});
