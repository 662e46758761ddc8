import { totalmem } from 'node:os';
import { composeMaps, composeProgram, type Plan } from '../../bt/compose.ts';
import { requireHost } from '../../bt/driver/host.ts';
import { limitsFor } from '../../bt/limits.ts';
import { chooseProfilers, parseWanted } from '../../bt/profilers/choose.ts';
import { PROFILERS } from '../../bt/profilers/profiler-registry.ts';
import { VERSION } from '../../cli/version.ts';

export interface Program {
  readonly program: string;
  readonly environment: Record<string, string | undefined>;
}

/**
 * Writes the program of `btprof run`, which follows a process from its next exec. The program ends when we end.
 *
 * @param path the bpftrace executable
 * @param profilers each as after `-p`
 */
export async function ourProgram(
  path: string,
  pid: number,
  profilers: readonly string[],
  stacks = true,
): Promise<Program> {
  const { info, btf, seccomp, possibleCpus, dialect } = await requireHost(path, VERSION);
  const follow = { kind: 'held', pid, children: true } as const;
  const context = { dialect, arch: info.arch, btf, seccomp, follow, self: process.pid };
  const plan: Plan = {
    profilers: chooseProfilers(profilers.flatMap(parseWanted), PROFILERS),
    stacks,
    stackDepth: 127,
    children: true,
  };
  const limits = limitsFor({
    maps: composeMaps(plan, context),
    stackStore: dialect.stackStore,
    statsSlots: dialect.statsSlots,
    stackDepth: plan.stackDepth,
    memoryBytes: totalmem(),
    cpus: possibleCpus,
    threads: 0,
  });
  return { program: composeProgram(plan, context), environment: dialect.environment(limits) };
}

const FOLLOWING = (pid: number) => `
BEGIN { print("ready"); }
tracepoint:sched:sched_process_exec /pid == ${pid}/ { @follow[(uint64)pid] = 1; }
tracepoint:task:task_newtask /@follow[(uint64)pid]/ { @follow[(uint64)args->pid] = 1; }`;

/** Off-CPU time as a first version is usually written: one map per field. */
export function plainOffcpu(pid: number, stacks: boolean): Program {
  const fields = { start: 'nsecs', tgid: 'pid', state: 'args->prev_state' };
  const both = { ...fields, ...(stacks ? { kernel: 'kstack(127)', user: 'ustack(127)' } : {}) };
  const names = Object.keys(both);
  const key = names.slice(1).map((name) => `@${name}[$next]`);
  return {
    program: `${FOLLOWING(pid)}
tracepoint:sched:sched_switch {
  if (@follow[(uint64)pid]) {
    ${Object.entries(both)
      .map(([name, value]) => `@${name}[(uint64)tid] = ${value};`)
      .join(' ')}
  }
  $next = (uint64)args->next_pid;
  if (@start[$next]) {
    @waits[$next, ${key.join(', ')}] = stats(nsecs - @start[$next]);
    ${names.map((name) => `delete(@${name}[$next]);`).join(' ')}
  }
}`,
    environment: {},
  };
}

/** The smallest program that counts the system calls of a process. */
export function plainSyscalls(pid: number): Program {
  return {
    program: `BEGIN { print("ready"); }
tracepoint:raw_syscalls:sys_enter /pid == ${pid}/ { @calls[pid, args->id] = count(); }`,
    environment: {},
  };
}

/** The smallest program that counts the system calls of a process and its children. */
export function treeSyscalls(pid: number): Program {
  return {
    program: `${FOLLOWING(pid)}
tracepoint:raw_syscalls:sys_enter {
  $pid = (uint64)pid;
  if (@follow[$pid]) { @calls[$pid, args->id] = count(); }
}`,
    environment: {},
  };
}

const ready = (probe: string): Program => ({
  program: `BEGIN { print("ready"); }\n${probe}`,
  environment: {},
});

/** The smallest program that saves both stacks of each wait on the machine. It counts nothing. */
export const savedStacks = (): Program =>
  ready('tracepoint:sched:sched_switch { @[tid] = (kstack(127), ustack(127)); }');

/** The smallest program that counts the system calls of the machine, by process and call. */
export const countedCalls = (): Program =>
  ready('tracepoint:raw_syscalls:sys_enter { @[pid, args->id] = count(); }');
