/** Every profiler there is, in the order in which they are listed and written into a program. */
export const PROFILER_NAMES = ['offcpu', 'oncpu', 'syscalls'] as const;
export type ProfilerName = (typeof PROFILER_NAMES)[number];

/** Those of a profile when none are named. */
export const DEFAULT_PROFILERS: readonly ProfilerName[] = ['offcpu', 'syscalls'];
