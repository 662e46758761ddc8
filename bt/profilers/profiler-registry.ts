import { offcpu } from './offcpu/offcpu.ts';
import { oncpu } from './oncpu.ts';
import type { Profiler } from './profiler.ts';
import { syscalls } from './syscalls/syscalls.ts';

/** Every profiler, in the order in which profilers are listed and written into a program. */
export const PROFILERS: readonly Profiler[] = [offcpu, oncpu, syscalls];
