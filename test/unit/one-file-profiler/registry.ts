import { PROFILERS as SHIPPED } from '../../../bt/profilers/profiler-registry.ts';
import { futex } from './futex.ts';

/** Replaces bt/profilers/profiler-registry.ts and adds one profiler. */
export const PROFILERS = [...SHIPPED, futex];
