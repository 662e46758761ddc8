import { PROFILERS as SHIPPED } from '../../../bt/profilers/profiler-registry.ts';
import { futex } from './futex.ts';

/** In place of bt/profilers/profiler-registry.ts: one profiler more. */
export const PROFILERS = [...SHIPPED, futex];
