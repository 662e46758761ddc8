import type { ProgramContext } from '../../../../bt/profilers/profiler.ts';

/** For bpftrace 0.23, on a kernel with BTF, without a profiler that could stop the program. */
export const CONTEXT: ProgramContext = {
  stackMode: 'raw',
  losesFirstCounts: false,
  children: true,
  held: undefined,
  allThreadsHaveEntry: true,
  dwarfPids: [],
  dwarfGeneration: 1,
  stacks: true,
  numberStacks: false,
  stackDepth: 127,
  btf: true,
  seccomp: true,
  arch: 'x86_64',
  stops: false,
};
