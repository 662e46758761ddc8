import { PROFILERS as SHIPPED } from '../../../bt/profilers/profiler-registry.ts';
import { futex } from './futex.ts';

/** Replaces bt/profilers/profiler-registry.ts: it has one profiler more. */
export const PROFILERS = [...SHIPPED, futex];
