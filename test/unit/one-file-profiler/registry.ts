import { PROFILERS as SHIPPED } from '../../../bt/profilers/registry.ts';
import { futex } from './futex.ts';

/** In place of bt/profilers/registry.ts: one profiler more. */
export const PROFILERS = [...SHIPPED, futex];
