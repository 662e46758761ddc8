import { gzipSync } from 'node:zlib';
import { Label, Profile as PprofProfile, Sample, StringTable, ValueType } from 'pprof-format';
import type { Profile } from '../../../metrics/schema.ts';
import { runningStacks, type TimedStack, waitingStacks } from '../../../metrics/timed-stacks.ts';
import { printable } from '../../page.ts';
import { newTables, type Text } from './tables.ts';

/**
 * The profile as pprof reads it: profile.proto (github.com/google/pprof/blob/main/proto/profile.proto), packed by gzip.
 *
 * Values of waits are their count, their time in ns, and that of waits that had not ended; of samples their count and
 * time. Their sums are `total_events`, `total_time_ns`, all of `still_blocked`, `total_samples` and `total_time_ns` of the
 * JSON result. Frames without a name have their mapping and build ID, by which pprof can find one.
 */
export function pprofView(profile: Profile): Uint8Array {
  const { metadata, ebpf } = profile;
  const stringTable = new StringTable();
  // pprof prints names to terminals as they are.
  const text: Text = (string) => stringTable.dedup(printable(string));
  const measures = MEASURES.filter(({ part }) => ebpf[part] !== undefined);
  const { locationsOf, mapping, ...tables } = newTables(metadata.executable, text);
  const sample = [...waitingStacks(profile), ...runningStacks(profile)].map((stack) => {
    const value = measures.map((measure) => measure.of(stack));
    return new Sample({ locationId: locationsOf(stack.frames), value, label: labelsOf(stack, text) });
  });
  const encoded = new PprofProfile({
    ...{ sample, mapping: mapping(), ...tables, stringTable },
    sampleType: measures.map(({ type, unit }) => new ValueType({ type: text(type), unit: text(unit) })),
    timeNanos: BigInt(metadata.t0_ms) * 1_000_000n,
    durationNanos: metadata.wall_time_ns,
    comment: commentsOf(profile).map(text),
    defaultSampleType: text(ebpf.offcpu ? 'offcpu' : 'cpu'),
  });
  return gzipSync(encoded.encode());
}

/** One of the values that each sample has. */
interface Measure {
  readonly type: string;
  readonly unit: 'count' | 'nanoseconds';
  readonly part: 'offcpu' | 'oncpu';
  readonly of: (stack: TimedStack) => number;
}

const ended = ({ kind, open }: TimedStack) => kind !== 'on_cpu' && !open;
const ran = ({ kind }: TimedStack) => kind === 'on_cpu';

const MEASURES: readonly Measure[] = [
  { type: 'waits', unit: 'count', part: 'offcpu', of: (s) => (ended(s) ? s.count : 0) },
  { type: 'offcpu', unit: 'nanoseconds', part: 'offcpu', of: (s) => (ended(s) ? s.timeNs : 0) },
  { type: 'open', unit: 'nanoseconds', part: 'offcpu', of: (s) => (s.open ? s.timeNs : 0) },
  { type: 'samples', unit: 'count', part: 'oncpu', of: (s) => (ran(s) ? s.count : 0) },
  { type: 'cpu', unit: 'nanoseconds', part: 'oncpu', of: (s) => (ran(s) ? s.timeNs : 0) },
];

function labelsOf({ pid, tid, comm, kind, idle }: TimedStack, text: Text): Label[] {
  const named = (key: string, value: string) => new Label({ key: text(key), str: text(value) });
  return [
    named('thread', `${pid}:${tid}`),
    ...(comm === null ? [] : [named('comm', comm)]),
    new Label({ key: text('pid'), num: pid }),
    new Label({ key: text('tid'), num: tid }),
    named('reason', kind),
    ...(idle ? [named('idle', 'true')] : []),
  ];
}

function commentsOf({ metadata: { cmd, pids, btprof, bpftrace, host } }: Profile): string[] {
  const { kernel, arch, cpus, hostname } = host;
  return [
    cmd.join(' ') || (pids.length > 0 ? `process ${pids.join(', ')}` : 'the whole machine'),
    `btprof ${btprof}, bpftrace ${bpftrace}`,
    `${hostname}: Linux ${kernel}, ${arch}, ${cpus} CPUs`,
  ];
}
