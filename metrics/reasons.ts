import { z } from 'zod';

/** What a wait was for. */
export const REASONS = [
  'sleep',
  'lock',
  'disk',
  'network',
  'pipe',
  'poll',
  'child',
  'page_fault',
  'preempted',
  'stopped',
  'other',
] as const;
export type Reason = (typeof REASONS)[number];

export const reason = z
  .enum(REASONS)
  .describe(
    'what the wait was for, by its state and its kernel functions; preempted is time in the run queue',
  );
