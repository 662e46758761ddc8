import { z } from 'zod';
import type { Entry } from '../../parsers/entries.ts';
import { readInteger } from '../../parsers/integer.ts';
import { countInto, type Fragment, indent, noteFull, unlessStopped } from '../program.ts';
import type { FragmentOptions } from './profiler.ts';

/**
 * Added to the number of a 32-bit call, whose numbers mean other calls than the 64-bit ones. All numbers are
 * 32 bits wide and signed (−1 is a call that was skipped), so that the two kinds cannot meet.
 */
export const COMPAT_BIT = 0x1_0000_0000;

/** The largest errno: what a call returns between −4095 and −1 is one (linux/err.h). */
const MAX_ERRNO = 4095;

/** A call of the kernel's table, or of that for 32-bit programs. */
export interface CallId {
  readonly nr: number;
  /** Made through the 32-bit entry of a 64-bit kernel. */
  readonly compat: boolean;
}

/** The call that a number with the compat bit stands for. */
export function callOf(number: number): CallId {
  const compat = number >= COMPAT_BIT / 2;
  return { nr: compat ? number - COMPAT_BIT : number, compat };
}

/** A call in progress: 1 is added to its number, so that 0 is none. */
const IN_PROGRESS_OFFSET = 1;

/** Bits of the state of a wait below the call that it is within. */
const STATE_BITS = 16;

/** The expression that adds the call in progress, when calls are timed, to the state of a wait. */
export function withCall(
  state: string,
  tid: string,
  { callTimes }: Pick<FragmentOptions, 'callTimes'>,
): string {
  return callTimes ? `${state} | (@call[${tid}].1 << ${STATE_BITS})` : state;
}

/** The state of a wait, and the call that it was within. */
export function splitState(word: number): { state: number; call: CallId | undefined } {
  const call = Math.floor(word / 2 ** STATE_BITS);
  return {
    state: word % 2 ** STATE_BITS,
    call: call === 0 ? undefined : callOf(call - IN_PROGRESS_OFFSET),
  };
}

/** The statements of sys_enter that begin a call. */
export function beginCall(number: string): string[] {
  return [
    `@call[(uint64)tid] = (nsecs, (uint64)(${number} + ${IN_PROGRESS_OFFSET}));`,
    noteFull('@call', '@call[(uint64)tid].0 == 0'),
  ];
}

/**
 * How long each call took, and how it failed. Sums of times are by CPU in their keys, too: no other CPU makes such a key, and
 * so none is lost that two make at once.
 */
export function callTimes({ losesFirstCounts, stops }: FragmentOptions): Fragment {
  const running = unlessStopped({ stops });
  return {
    begin: ['@call[(uint64)0] = ((uint64)0, (uint64)0);', 'delete(@call[(uint64)0]);'],
    probes: [
      {
        attach: 'tracepoint:raw_syscalls:sys_exit',
        predicate: `@gen[(uint64)pid]${running}`,
        comment:
          'A call returns to the thread that entered it. A new process returns from a call that it never entered.',
        body: [
          '$c = @call[(uint64)tid];',
          'if ($c.0) {',
          '  $took = nsecs - $c.0;',
          '  @times[$c.1, (uint64)cpu] = stats($took);',
          '  @slowest[$c.1, (uint64)cpu] = max($took);',
          '  $ret = args->ret;',
          `  if ($ret < 0 && $ret >= -${MAX_ERRNO}) {`,
          ...indent(indent(countInto('@errors[$c.1, (uint64)(0 - $ret)]', losesFirstCounts))),
          '  }',
          '  delete(@call[(uint64)tid]);',
          '}',
        ],
      },
      {
        attach: 'tracepoint:sched:sched_process_exit',
        predicate: `@gen[(uint64)pid]${running}`,
        comment: 'What a thread was in when it ended never returns.',
        body: ['delete(@call[(uint64)tid]);'],
      },
    ],
    maps: [
      { name: '@errors', role: 'result', key: 2, value: 1, perCpu: true },
      { name: '@slowest', role: 'result', key: 2, value: 2, perCpu: true },
      { name: '@times', role: 'result', key: 2, value: 2, perCpu: true, stats: true },
      { name: '@call', role: 'leftover', key: 1, value: 2, noticed: true },
    ],
  };
}

const integer = z.preprocess(readInteger, z.number());
const stats = z.object({ count: z.preprocess(readInteger, z.number().positive()), total: integer });
const begun = z.tuple([integer, integer]);

/** One entry of `@times`: key `call,cpu`, value `{"count":5,"average":20,"total":100}` in ns. */
export function readCallTimes(entry: Entry): (CallId & { count: number; totalNs: number }) | undefined {
  const call = readKey(entry.key)?.call;
  const value = stats.safeParse(entry.value);
  return call && value.success ? { ...call, count: value.data.count, totalNs: value.data.total } : undefined;
}

/** One entry of `@slowest`: key `call,cpu`, value ns. */
export function readSlowest(entry: Entry): (CallId & { ns: number }) | undefined {
  const call = readKey(entry.key)?.call;
  const ns = readInteger(entry.value);
  return call && ns !== undefined ? { ...call, ns } : undefined;
}

/** One entry of `@errors`: key `call,errno`, value how often. */
export function readCallError(entry: Entry): (CallId & { errno: number; count: number }) | undefined {
  const key = readKey(entry.key);
  const count = readInteger(entry.value);
  return key && key.other <= MAX_ERRNO && count !== undefined
    ? { ...key.call, errno: key.other, count }
    : undefined;
}

/** One entry of `@call`, a call that had not returned: key the tid, value `[since, call]`. */
export function readCallInProgress(entry: Entry): (CallId & { tid: number; sinceNs: number }) | undefined {
  const value = begun.safeParse(entry.value);
  if (!value.success || !/^\d{1,10}$/.test(entry.key)) return undefined;
  const [sinceNs, call] = value.data;
  return { tid: Number(entry.key), ...callOf(call - IN_PROGRESS_OFFSET), sinceNs };
}

function readKey(text: string): { call: CallId; other: number } | undefined {
  const key = /^(\d{1,10}),(\d{1,5})$/.exec(text);
  return key ? { call: callOf(Number(key[1]) - IN_PROGRESS_OFFSET), other: Number(key[2]) } : undefined;
}
