import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { PYTHON } from '../../scripts/versions.ts';
import { profile } from '../live/btprof.ts';
import { BPFTRACES } from './bpftraces.ts';

const pids: (number | null)[] = [];
afterAll(() => {
  for (const pid of pids) rmSync(join(PYTHON[1], `tmp/perf-${pid}.map`), { force: true });
});

/** The perf map is in another root, because Python is. */
test.each(BPFTRACES)('with bpftrace $version, Python functions have names, in order', async ({ path }) => {
  const program = readFileSync('fixtures/workloads/waits.py', 'utf8');
  const command = [...PYTHON, '-X', 'perf', '-c', program];
  const { ebpf, metadata, quality } = await profile(['run', '--bpftrace', path, '--', ...command]);
  pids.push(metadata.pid);
  const { stacks = [], frames = [] } = ebpf.offcpu ?? {};
  const ofPython = stacks
    .filter(({ state }) => state === 'S')
    .map(({ count, user }) => ({
      count,
      functions: user.flatMap((i) => /^py::([^:]+):<string>$/.exec(frames[i]?.symbol ?? '')?.[1] ?? []),
    }))
    .filter(({ functions }) => functions[0] === 'inner_wait');
  expect(ofPython.reduce((sum, { count }) => sum + count, 0)).toBe(17);
  for (const { functions } of ofPython)
    expect(functions).toEqual(['inner_wait', 'middle_wait', 'outer_wait', '<module>']);
  expect(quality.hints.join()).not.toContain('process of Python');
});
