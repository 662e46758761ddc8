import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import type { Offcpu } from '../../../../../bt/profilers/offcpu/off-schema.ts';
import { speedscopeView } from '../../../../../cli/formats/speedscope/speedscope-file.ts';
import type { Profile } from '../../../../../metrics/schema.ts';
import { recorded } from '../../../metrics/recorded-profiles.ts';
import { constructedProfile } from '../constructed-profile.ts';
import { allStacks } from '../result-of.ts';

const schema = JSON.parse(
  readFileSync('node_modules/speedscope/dist/release/file-format-schema.json', 'utf8'),
);
const validate = new Ajv({ strict: false }).compile(schema);

interface SpeedscopeFile {
  readonly name: string;
  readonly exporter: string;
  readonly shared: { readonly frames: { name: string; file?: string; line?: number }[] };
  readonly profiles: Sampled[];
}

interface Sampled {
  readonly name: string;
  readonly unit: string;
  readonly endValue: number;
  readonly samples: number[][];
  readonly weights: number[];
}

function fileOf(profile: Profile): SpeedscopeFile {
  const file = JSON.parse(speedscopeView(profile, allStacks(profile)));
  expect(validate(file) ? [] : validate.errors).toEqual([]);
  return file;
}

function timeOf(profile: Profile): number {
  return allStacks(profile).reduce((sum, { timeNs }) => sum + timeNs, 0);
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

function namesOf({ shared }: SpeedscopeFile, sample: readonly number[] = []): (string | undefined)[] {
  return sample.map((index) => shared.frames[index]?.name);
}

describe.each(['0.17', '0.23', '0.27'])('the speedscope file of a recording with bpftrace %s', (version) => {
  it.each(['demo', 'sleepers', 'sleepers-no-stacks', 'deadlock', 'forks', 'oncpu', 'compat'])(
    '%s: matches the schema of speedscope, and has the time of all threads and of each',
    (name) => {
      const profile = recorded(version, name);
      const { profiles, shared } = fileOf(profile);
      const [all, ...threads] = profiles;
      expect(all).toMatchObject({ name: 'all threads', unit: 'nanoseconds', endValue: timeOf(profile) });
      for (const { samples, weights, endValue } of profiles) {
        expect(samples).toHaveLength(weights.length);
        expect(sumOf(weights)).toBe(endValue);
        for (const weight of weights) expect(weight > 0 && Number.isInteger(weight)).toBe(true);
        for (const index of samples.flat()) expect(shared.frames[index]).toBeDefined();
      }
      if (threads.length < 50) expect(sumOf(threads.map((t) => t.endValue))).toBe(timeOf(profile));
    },
  );

  it('deadlock: includes the waits that had not ended', () => {
    const file = fileOf(recorded(version, 'deadlock'));
    const [sample = []] = file.profiles[0]?.samples ?? [];
    expect(namesOf(file, sample).at(-1)).toBe('[lock, not ended]');
    expect(file.profiles.slice(1).map(({ name }) => name)).toEqual(
      Array(3).fill(expect.stringMatching(/^deadlock \d+:\d+, /)),
    );
  });
});

describe('a speedscope file', () => {
  it('has stacks root first, with known files and lines, and the reason last', () => {
    const file = fileOf(constructedProfile());
    const [sample = []] = file.profiles[0]?.samples ?? [];
    expect(namesOf(file, sample)).toEqual(['main', 'outer', 'middle', 'innermost', 'futex_wait', '[lock]']);
    expect(file.shared.frames[sample[3] ?? -1]).toEqual({ name: 'innermost', file: 'a.c', line: 3 });
    expect(file.shared.frames[sample[4] ?? -1]).toEqual({ name: 'futex_wait', file: '[kernel]' });
    expect(file.shared.frames.every(({ name }) => typeof name === 'string')).toBe(true);
  });

  it('omits samples without time', () => {
    const profile = constructedProfile();
    expect(profile.ebpf.offcpu?.stacks.some(({ time_ns }) => time_ns === 0)).toBe(true);
    expect(fileOf(profile).profiles.flatMap(({ weights }) => weights)).not.toContain(0);
  });

  it('names the profiled command and the version of btprof', () => {
    const profile = constructedProfile();
    expect(fileOf(profile)).toMatchObject({
      name: 'server --name a\nb',
      exporter: `btprof@${profile.metadata.btprof}`,
      activeProfileIndex: 0,
    });
    const system = { ...profile.metadata, cmd: [], pids: [] };
    expect(fileOf({ ...profile, metadata: system }).name).toBe('the whole machine');
    expect(fileOf({ ...profile, metadata: { ...system, pids: [5, 6] } }).name).toBe('process 5, 6');
  });

  it('has the 50 threads with the most time, and all threads in the first profile', () => {
    const profile = constructedProfile();
    const offcpu = profile.ebpf.offcpu as Offcpu;
    const [stack] = offcpu.stacks as [Offcpu['stacks'][number]];
    const stacks = Array.from({ length: 61 }, (_, i) => ({ ...stack, tid: i + 1, time_ns: 1000 + i }));
    const many = { ...profile, ebpf: { offcpu: { ...offcpu, stacks, still_blocked: [] } } };
    const [all, ...threads] = fileOf(many).profiles;
    expect(all?.endValue).toBe(sumOf(stacks.map(({ time_ns }) => time_ns)));
    expect(threads.map(({ endValue }) => endValue)).toEqual(Array.from({ length: 50 }, (_, i) => 1060 - i));
  });
});
