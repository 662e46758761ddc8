import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Offcpu } from '../../bt/profilers/offcpu/off-schema.ts';
import { constructedProfile } from '../unit/cli/formats/constructed-profile.ts';
import { expectedTotals } from '../unit/cli/formats/pprof/pprof-totals.ts';
import { recorded } from '../unit/metrics/recorded-profiles.ts';
import { goPprof, rawTotals, topTotals } from './go-pprof.ts';
import { unnamedProgram } from './unnamed-program.ts';

const NAMES = ['demo', 'sleepers', 'sleepers-no-stacks', 'deadlock', 'forks', 'oncpu', 'full'];

describe.each(['0.17', '0.23', '0.27'])('go tool pprof of a recording with bpftrace %s', (version) => {
  it.each(NAMES)('%s: -raw has the totals of the JSON, to the ns', async (name) => {
    const profile = recorded(version, name);
    expect(rawTotals(await goPprof(profile, '-raw'))).toEqual(expectedTotals(profile));
  });

  it.each(NAMES)('%s: -top has the totals of the JSON, to the ns', async (name) => {
    const profile = recorded(version, name);
    const { offcpu = 0n, open = 0n } = expectedTotals(profile);
    const top = async (index: string) =>
      topTotals(await goPprof(profile, '-top', '-unit=ns', `-sample_index=${index}`));
    expect(await top('offcpu')).toEqual({ total: Number(offcpu), flat: Number(offcpu) });
    expect(await top('open')).toEqual({ total: Number(open), flat: Number(open) });
  });

  it('reads a profile without waits', async () => {
    const profile = recorded(version, 'compat');
    expect(rawTotals(await goPprof(profile, '-raw'))).toEqual(expectedTotals(profile));
    expect(await goPprof(profile, '-top')).toContain('Type: offcpu');
  });
});

describe('go tool pprof', () => {
  const profile = constructedProfile();

  it('has the totals of waits and samples with names of all kinds', async () => {
    expect(rawTotals(await goPprof(profile, '-raw'))).toEqual(expectedTotals(profile));
    const { cpu } = expectedTotals(profile);
    const top = topTotals(await goPprof(profile, '-top', '-unit=ns', '-sample_index=cpu'));
    expect(top).toEqual({ total: Number(cpu), flat: Number(cpu) });
  });

  it('is exact beyond 2^53 ns', async () => {
    const offcpu = profile.ebpf.offcpu as Offcpu;
    const time_ns = 2 ** 60 + 2 ** 20;
    const stacks = offcpu.stacks.slice(0, 1).map((stack) => ({ ...stack, time_ns }));
    const ebpf = { offcpu: { ...offcpu, stacks, still_blocked: [], total_time_ns: time_ns } };
    expect(rawTotals(await goPprof({ ...profile, ebpf }, '-raw')).offcpu).toBe(BigInt(time_ns));
  });

  it('-peek shows inlined functions as callers of one another', async () => {
    const peek = await goPprof(profile, '-peek', '^middle$', '-unit=ns');
    const around = peek.split('\n').filter((line) => /\| {3}(outer|innermost)/.test(line));
    expect(around.map((line) => line.replace(/.*\| +/, '').trim())).toEqual([
      'outer (inline)',
      'innermost (inline)',
    ]);
    expect(around.map((line) => line.trim().split(/ +/)[0])).toEqual(['4294967311ns', '4294967311ns']);
  });

  it('-lines has the lines of inlined functions', async () => {
    const lines = await goPprof(profile, '-top', '-lines', '-sample_index=cpu');
    expect(lines).toMatch(/innermost a\.c:3 \(inline\)/);
    expect(lines).toMatch(/ outer a\.c:20$/m);
  });

  it('separates threads, processes and reasons by their labels', async () => {
    const tags = await goPprof(profile, '-tags');
    for (const key of ['thread', 'comm', 'pid', 'tid', 'reason', 'idle'])
      expect(tags).toMatch(new RegExp(`^ ${key}: Total`, 'm'));
    const disk = await goPprof(profile, '-top', '-unit=ns', '-tagfocus=reason=disk');
    expect(topTotals(disk).flat).toBe(1_000_003);
    const one = await goPprof(profile, '-top', '-unit=ns', '-tagfocus=tid=6');
    expect(topTotals(one).flat).toBe(1_000_033 + 17);
  });

  it('keeps code of two files at one address apart, without names', async () => {
    const raw = await goPprof(profile, '-raw');
    expect(raw.match(/^ *\d+: 0x7f0000001000 M=\d+ *$/gm)).toHaveLength(2);
    expect(raw).toMatch(/\/usr\/lib\/libc\.so\.6 1111 *$/m);
    expect(raw).toMatch(/\/opt\/a\/bin\/server abcd \[FN\]\[FL\]\[LN\]\[IN\]$/m);
  });

  it('shows the program, its command and what was measured', async () => {
    const top = await goPprof(profile, '-top');
    expect(top).toMatch(/^File: server$/m);
    expect(top).toMatch(/^server --name a\?b$/m);
    expect(top).toMatch(/^Type: offcpu$/m);
  });
});

describe('go tool pprof with the file of the program', () => {
  let dir = '';
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'btprof-symbols-'));
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  it('finds names and lines that the profile lacks; the line of a caller is that of its call', async () => {
    const top = await goPprof(await unnamedProgram(dir), '-top', '-lines', '-symbolize=local');
    expect(top).toMatch(/ take .*work\.c:1$/m);
    expect(top).toMatch(/ main .*work\.c:3$/m);
  });
});
