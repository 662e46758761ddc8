import { z } from 'zod';

/** What a wait was for, and the subject of a sentence about such waits, in the plural. */
export const REASON_SUBJECTS = {
  sleep: 'Sleeps',
  lock: 'Locks',
  disk: 'Disk waits',
  network: 'Network waits',
  pipe: 'Pipes',
  poll: 'Poll calls',
  child: 'Child processes',
  page_fault: 'Page faults',
  preempted: 'Preemptions',
  stopped: 'Stops',
  other: 'Other waits',
} as const;

export type Reason = keyof typeof REASON_SUBJECTS;
export const REASONS = Object.keys(REASON_SUBJECTS) as Reason[];

export const reason = z
  .enum(REASONS)
  .describe(
    'reason of the wait, from its state and its kernel functions; preempted is time in the run queue',
  );
