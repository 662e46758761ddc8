import { gzipSync } from 'node:zlib';
import { Label, Profile as PprofProfile, Sample, StringTable, ValueType } from 'pprof-format';
import type { Profile } from '../../../metrics/schema.ts';
import { partStacks, stackParts, type TimedStack } from '../../../metrics/timed-stacks.ts';
import { printable } from '../../plain-text.ts';
import type { Result } from '../format.ts';
import { newTables, type StringIndex } from './tables.ts';

/**
 * The profile as pprof reads it: profile.proto (github.com/google/pprof/blob/main/proto/profile.proto), packed by gzip.
 *
 * Each profiler has values of its own: those of waits are their count, their time in ns, and that of waits that had not
 * ended; those of samples their count and time. Frames without a name have their mapping and build ID, by which pprof can
 * find one.
 */
export function pprofView({ profile, measurements }: Result): Uint8Array {
  const { metadata } = profile;
  const stringTable = new StringTable();
  // pprof prints names to terminals as they are.
  const text: StringIndex = (string) => stringTable.dedup(printable(string));
  const parts = stackParts(profile, measurements);
  const values = parts.flatMap((part) => (part.stacks?.values ?? []).map((value) => ({ part, value })));
  const { locationsOf, mapping, ...tables } = newTables(metadata.executable, text);
  const sample = parts.flatMap((of) =>
    partStacks(profile, of).map((stack) => {
      const value = values.map(({ part, value }) => (part === of ? value.of(stack) : 0));
      return new Sample({ locationId: locationsOf(stack.frames), value, label: labelsOf(stack, text) });
    }),
  );
  const encoded = new PprofProfile({
    ...{ sample, mapping: mapping(), ...tables, stringTable },
    sampleType: values.map(({ value }) => new ValueType({ type: text(value.type), unit: text(value.unit) })),
    timeNanos: BigInt(metadata.t0_ms) * 1_000_000n,
    durationNanos: metadata.wall_time_ns,
    comment: commentsOf(profile).map(text),
    defaultSampleType: text(values.find(({ value }) => value.isDefault)?.value.type ?? ''),
  });
  return gzipSync(encoded.encode());
}

function labelsOf({ pid, tid, comm, kind, idle }: TimedStack, text: StringIndex): Label[] {
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
