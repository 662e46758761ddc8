/** Where the time of all threads went, as a zod schema. */
import { z } from 'zod';
import { count, ns, signed, threadKey } from './fields.ts';
import { reason } from './reasons.ts';

export const accountSchema = z
  .object({
    threads: count.describe('threads with a known lifetime and CPU time; all others are left out here'),
    threads_unknown: count,
    thread_time_ns: ns.describe('sum of their lifetimes within the collection'),
    on_cpu_ns: signed.describe('as counted by the scheduler'),
    off_cpu_ns: z
      .partialRecord(reason, ns)
      .describe(
        'by the measured waits, including those that had not ended; preempted is time in the run queue',
      ),
    idle_ns: z.partialRecord(reason, ns).describe('the part of off_cpu_ns that was idle: waiting for work'),
    miscounted_ns: signed.describe(
      'accounting drift: CPU time measured from switch to switch, minus on_cpu_ns; below 0 when the scheduler counted too much',
    ),
    unaccounted_ns: signed.describe('the rest of thread_time_ns; below 0 when the other figures overlap'),
    run_delay_ns: signed.describe(
      'how long the threads were ready without a CPU, as counted by the scheduler: all of preempted, and the end of other waits',
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
      .describe('each thread, except those that ended long ago; the rest of time_ns is unaccounted'),
  })
  .describe(
    'where the time of all threads went: thread_time = on_cpu + miscounted + all of off_cpu + unaccounted',
  );

export type Account = z.infer<typeof accountSchema>;
