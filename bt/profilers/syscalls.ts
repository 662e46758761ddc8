import type { Entry } from '../../parsers/entries.ts';
import { readInteger } from '../../parsers/integer.ts';
import { countInto, indent, type Probe, unlessStopped } from '../program.ts';
import type { FragmentOptions, Profiler } from './profiler.ts';
import { beginCall, type CallId, COMPAT_BIT, callOf, callTimes } from './syscall-times.ts';

/**
 * How the kernel knows that the call under way came through the 32-bit entry (BTF needed): on x86 by
 * TS_COMPAT in `thread_info.status`, on arm64 by TIF_32BIT in `thread_info.flags`. Yields 0 or 1.
 */
const COMPAT_TEST = {
  x86_64: '(curtask->thread_info.status & 2) >> 1',
  aarch64: '(curtask->thread_info.flags & 0x400000) >> 22',
} as const;

const WHY_SUMS =
  'Two CPUs may be the first to make a call: this bpftrace loses one of the two, so a 0 goes first.';

/** System calls counted at entry, by process and number. */
export const syscalls: Profiler = {
  name: 'syscalls',
  summary: 'every system call by name, category and process: exact counts',
  tracepoints: ['raw_syscalls:sys_enter'],
  takesStacks: false,
  cost: '0.1 to 0.7 µs per system call of a followed process, 0.1 to 0.2 µs of any other; see also --syscall-times',
  caveats: [
    'a call is counted when it is entered, whether or not it succeeds',
    'calls answered by the vDSO (clock_gettime, getcpu) never enter the kernel and are not counted',
    'without BTF, calls made through the 32-bit entry cannot be told apart',
  ],
  fragment: (options) => {
    const times = options.callTimes ? callTimes(options) : undefined;
    return {
      begin: times?.begin ?? [],
      probes: [enterProbe(options), ...(times?.probes ?? [])],
      maps: [{ name: '@calls', role: 'result', key: 2, value: 1, perCpu: true }, ...(times?.maps ?? [])],
    };
  },
};

function enterProbe(options: FragmentOptions): Probe {
  const counted = [
    `$id = ${callNumber(options)};`,
    ...countInto('@calls[$pid, $id]', options.losesFirstCounts),
    ...(options.callTimes ? timed(options) : []),
  ];
  return {
    attach: 'tracepoint:raw_syscalls:sys_enter',
    comment:
      'One probe for all calls: the 360 sys_enter_* probes take 26 s and more to detach.\n' +
      `${COMPAT_BIT.toString(16)} (hex) is added to the number of a 32-bit call.${
        options.losesFirstCounts ? `\n${WHY_SUMS}` : ''
      }`,
    body: ['$pid = (uint64)pid;', 'if (@gen[$pid]) {', ...indent(counted), '}'],
  };
}

/** A number below 0 is no call: a tracer or a seccomp filter took it out. */
function timed(options: FragmentOptions): string[] {
  return [`if ($id >= 0${unlessStopped(options)}) {`, ...indent(beginCall('$id')), '}'];
}

function callNumber({ btf, arch }: FragmentOptions): string {
  return btf ? `args->id + ((int64)(${COMPAT_TEST[arch]}) << 32)` : 'args->id';
}

/** How often one process entered one system call. */
export interface CallRow extends CallId {
  readonly pid: number;
  readonly count: number;
}

/** One entry of `@calls`: key `tgid,number`, value the count; undefined when it cannot be read. */
export function readCall(entry: Entry): CallRow | undefined {
  const key = /^(\d{1,10}),(-?\d{1,10})$/.exec(entry.key);
  const count = readInteger(entry.value);
  if (!key || count === undefined) return undefined;
  return { pid: Number(key[1]), ...callOf(Number(key[2])), count };
}
