/** Where the time of all threads went, as a zod schema. */
import { z } from 'zod';
import { count, ns, signed, threadKey } from './fields.ts';
import { reason } from './reasons.ts';

export const accountSchema = z
  .object({
    threads: count.describe(
      'threads whose lifetime and time on the CPU are known: all others are left out here',
    ),
    threads_unknown: count,
    thread_time_ns: ns.describe('how long they lived within the collection, together'),
    on_cpu_ns: signed.describe("by the scheduler's own count"),
    off_cpu_ns: z
      .partialRecord(reason, ns)
      .describe('by our waits, also those that had not ended; preempted is time in the run queue'),
    idle_ns: z.partialRecord(reason, ns).describe('the part of off_cpu_ns that was waiting for work to come'),
    miscounted_ns: signed.describe(
      'what on_cpu_ns is wrong by: time on a CPU, from switch to switch, that the scheduler did not count; below 0 when it counted more than there was',
    ),
    unaccounted_ns: signed.describe('what none of them has; below 0 when they overlap'),
    run_delay_ns: signed.describe(
      "how long they were ready and had no CPU, by the scheduler's own count: all of preempted, and the end of other waits",
    ),
    by_thread: z
      .record(
        threadKey,
        z.object({
          comm: z.string().nullable(),
          time_ns: ns,
          on_cpu_ns: signed,
          miscounted_ns: signed,
          off_cpu_ns: ns,
        }),
      )
      .describe(
        'each of the threads, except those that ended long ago: what is left of time_ns is unaccounted',
      ),
  })
  .describe(
    'where the time of all threads went: thread_time = on_cpu + miscounted + all of off_cpu + unaccounted',
  );

export type Account = z.infer<typeof accountSchema>;
