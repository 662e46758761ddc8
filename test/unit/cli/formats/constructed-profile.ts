import type { Offcpu } from '../../../../bt/profilers/offcpu/off-schema.ts';
import type { Oncpu } from '../../../../bt/profilers/oncpu.ts';
import type { Frame, MappingRow } from '../../../../metrics/fields.ts';
import type { Profile } from '../../../../metrics/schema.ts';
import { recorded } from '../../metrics/recorded-profiles.ts';

type Waits = Offcpu['stacks'];

/** Names that break lines, frames, values, terminals and C strings, and harmless names. */
export const HOSTILE_NAMES = [
  'operator new[](unsigned long); do rm',
  'two\nlines 17',
  '\t tab\0nul\x1b[31m red\r\u2028\u2029\x85 ',
  'worker 12',
  'a 1.5',
  '   ',
  '',
  ';',
  '⏳ naïve::méthode<日本>',
  '__proto__',
  '12',
];

const NAMED = { module: '/opt/a/bin/server', offset: 4, mapping: 0 };

/** Three functions at one code address, two of them inlined, and their caller: leaf first. */
const INLINED: Frame[] = [
  { ...NAMED, address: '0x401010', symbol: 'innermost', file: 'a.c', line: 3, inlined: true },
  { ...NAMED, address: '0x401010', symbol: 'middle', file: 'a.h', line: 9, inlined: true },
  { ...NAMED, address: '0x401010', symbol: 'outer', file: 'a.c', line: 20, inlined: false },
  { ...NAMED, address: '0x401100', symbol: 'main', file: 'a.c', line: 40, inlined: false },
];
const LIBC = { address: '0x7f0000001000', symbol: null, module: '/usr/lib/libc.so.6', offset: 4096 };
const COMPILED = { module: null, offset: 0 };

export const FRAMES: Frame[] = [
  ...INLINED,
  { ...LIBC, mapping: 1 },
  { ...LIBC, mapping: 2 },
  { address: '0xffffffff81000010', symbol: 'futex_wait', module: '[kernel]', offset: 16 },
  { address: '0xffffffffc0000020', symbol: 'ext4_sync_file', module: '[ext4]', offset: 32 },
  { ...COMPILED, address: '0x7e0000000000', symbol: null },
  ...HOSTILE_NAMES.map((symbol, i) => ({ ...COMPILED, address: `0x7e000000010${i.toString(16)}`, symbol })),
];

const libc = (build_id: string): MappingRow => ({
  ...{ start: '0x7f0000000000', end: '0x7f0000100000', file_offset: 0x26000 },
  ...{ path: '/usr/lib/libc.so.6', build_id },
});
const MAPPINGS: MappingRow[] = [
  { start: '0x401000', end: '0x402000', file_offset: 4096, path: '/opt/a/bin/server', build_id: 'abcd' },
  libc('1111'),
  libc('2222'),
];

const WHERE = { user_cut: 0, user_incomplete: false };
const WAIT = { ...WHERE, state: 'S', reason: 'lock', idle: null, since_start: false } as const;

/** Waits and samples of two processes, in frames of all kinds. Times have many digits, and their sum exceeds 2^32. */
export function constructedProfile(): Profile {
  const base = recorded('0.23', 'deadlock');
  const waits = [...namedWaits(), ...HOSTILE_NAMES.map((_, i) => hostileWait(9 + i))];
  const open = {
    ...WAIT,
    pid: 5,
    tid: 7,
    comm: 'open;one',
    blocked_ns: 7_000_000_019,
    user: [3],
    kernel: [6],
  };
  const offcpu = {
    ...(base.ebpf.offcpu as Offcpu),
    ...{ stacks: waits, still_blocked: [open], frames: FRAMES, mappings: MAPPINGS },
    total_time_ns: waits.reduce((sum, { time_ns }) => sum + time_ns, 0),
    total_events: waits.reduce((sum, { count }) => sum + count, 0),
    thread_stats: { '5:5': threadOf(5, 'main\n;\x1b[0m'), '6:6': threadOf(6, null) },
  };
  const metadata = { ...base.metadata, executable: '/opt/a/bin/server', cmd: ['server', '--name', 'a\nb'] };
  return { ...base, metadata, ebpf: { offcpu, oncpu: sampled() } };
}

function namedWaits(): Waits {
  return [
    { ...WAIT, pid: 5, tid: 5, time_ns: 4_294_967_311, count: 23, user: [0, 1, 2, 3], kernel: [6] },
    { ...WAIT, pid: 5, tid: 5, time_ns: 1_000_003, count: 3, user: [4, 3], kernel: [7], reason: 'disk' },
    { ...WAIT, pid: 6, tid: 6, time_ns: 1_000_033, count: 5, user: [5, 8], kernel: [6], idle: 'events' },
    { ...WAIT, pid: 6, tid: 6, time_ns: 17, count: 1, user: [], kernel: [] },
    { ...WAIT, pid: 6, tid: 6, time_ns: 0, count: 2, user: [3], kernel: [6] },
  ];
}

function hostileWait(frame: number): Waits[number] {
  return { ...WAIT, pid: 5, tid: 5, time_ns: 1009, count: 1, user: [frame], kernel: [] };
}

function sampled(): Oncpu {
  const stack = { ...WHERE, pid: 5, tid: 5, kernel: [] };
  const stacks = [
    { ...stack, count: 1009, user: [0, 1, 2, 3] },
    { ...stack, count: 4, user: [2, 3] },
  ];
  return {
    ...{ frequency_hz: 99, total_samples: 1013, total_time_ns: 1013 * 10_101_010 },
    thread_stats: { '5:5': { tid: 5, comm: 'main', samples: 1013 } },
    ...{ stacks, frames: FRAMES, mappings: MAPPINGS },
  };
}

function threadOf(tid: number, comm: string | null): Offcpu['thread_stats'][string] {
  const times = { total_time_ns: 0, count: 0, avg_time_ns: 0, max_time_ns: 0, min_time_ns: 0 };
  return { tid, comm, ...times, lifetime_ns: null };
}
