import type { FragmentOptions } from '../../../../bt/profilers/profiler.ts';

/** Of bpftrace 0.23, for a kernel with BTF, and without a profiler that could stop it. */
export const OPTIONS: FragmentOptions = {
  stackMode: 'raw',
  losesFirstCounts: false,
  callTimes: false,
  children: true,
  held: undefined,
  entersAll: true,
  dwarfPids: [],
  dwarfGeneration: 1,
  minBlockNs: 0,
  stacks: true,
  numberStacks: false,
  stackDepth: 127,
  btf: true,
  arch: 'x86_64',
  stops: false,
};
