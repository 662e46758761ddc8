import type { Entry } from '../../parsers/entries.ts';
import { readInteger } from '../../parsers/integer.ts';
import { countInto, type KernelMap, unlessStopped } from '../program.ts';
import type { FragmentOptions, Profiler } from './profiler.ts';
import { type NumberedStacks, saveStacks, splitStacks, stackRoom } from './stacks.ts';

/** Samples a second of each CPU: not 100, which would go in step with timers. */
export const FREQUENCY_HZ = 99;

const TIMER = `profile:hz:${FREQUENCY_HZ}`;

/** What runs: the stacks of each thread, sampled while it is on a CPU. */
export const oncpu: Profiler = {
  name: 'oncpu',
  summary: `what each thread ran on the CPU: its stacks, sampled ${FREQUENCY_HZ} times a second`,
  tracepoints: [],
  timer: TIMER,
  takesStacks: true,
  cost: '28 to 41 µs per sample of a followed thread: 0.3 to 0.4 % of each CPU that is busy with them',
  caveats: [
    'samples are an estimate: what runs for less than 10 ms in all may have none',
    'code that runs with interrupts off is seen where it turns them on again',
    'code without frame pointers gives one right user frame and then words that were never code',
  ],
  fragment: (options) => ({
    probes: [
      {
        attach: TIMER,
        predicate: `@gen[(uint64)pid]${unlessStopped(options)}`,
        comment: 'A sample of what runs on this CPU.',
        body: sample(options),
      },
    ],
    maps: [map(options)],
  }),
};

function map(options: FragmentOptions): KernelMap {
  const { words, stacks } = stackRoom(options);
  return { name: '@oncpu', role: 'result', key: 3 + words, value: 1, perCpu: true, stacksInKey: stacks };
}

function sample(options: FragmentOptions): string[] {
  const count = (stacks: readonly string[]) => {
    const key = ['(uint64)tid', '(uint64)pid', '$generation', ...stacks].join(', ');
    return countInto(`@oncpu[${key}]`, options.losesFirstCounts);
  };
  return ['$generation = @gen[(uint64)pid];', ...saveStacks(options, count)];
}

/** How often one thread was sampled in one stack. */
export interface SampleRow {
  readonly pid: number;
  readonly tid: number;
  readonly generation: number;
  readonly count: number;
  /** Stacks as bpftrace printed them; empty when there is none. */
  readonly kernel: string;
  readonly user: string;
}

/**
 * One entry of `@oncpu`: key `tid,tgid,generation[,kernel stack,user stack]`, or the numbers of the stacks in their place;
 * value the count; undefined when it cannot be read.
 */
export function readSample(entry: Entry, numbered?: NumberedStacks): SampleRow | undefined {
  const key = /^(\d{1,10}),(\d{1,10}),(\d{1,10})(?:,|$)/.exec(entry.key);
  const count = readInteger(entry.value);
  if (!key || count === undefined || count < 0) return undefined;
  const [kernel, user] = splitStacks(entry.key.slice(key[0].length), numbered);
  return { tid: Number(key[1]), pid: Number(key[2]), generation: Number(key[3]), count, kernel, user };
}
