import type { Facts, LiveThread } from '../../metrics/facts.ts';
import { knowsCalls, type Plan } from '../compose.ts';
import type { Host } from './host.ts';
import type { Session } from './session.ts';
import type { Target } from './target.ts';
import { unwindsDwarf } from './unwind.ts';

/** What is known when a collection begins. */
interface Beginning {
  /** ms since 1970 */
  readonly t0Ms: number;
  /** Running threads that were named to the program. */
  readonly named: readonly LiveThread[];
  /** Whether a second session took over at the entry of the command, to unwind it by DWARF. */
  readonly tookOver: boolean;
}

export function initialFacts(
  plan: Plan,
  { info, btf, dialect, btprof }: Host,
  target: Target,
  { room, limits }: Session,
  { t0Ms, named, tookOver }: Beginning,
): Facts {
  const pids = target.kind === 'run' ? [target.held.pid] : target.kind === 'attach' ? target.pids : [];
  const attached = (target.kind === 'attach' ? target.dwarfPids : undefined) ?? [];
  const options = optionsOf(plan);
  return {
    mode: target.kind,
    pids,
    cmd: target.kind === 'run' ? target.cmd : [],
    executable: target.kind === 'run' ? target.executable : null,
    t0Ms,
    host: info,
    btprof,
    bpftrace: dialect.version,
    profilers: plan.profilers.map(({ profiler }) => profiler.name),
    ...(options.length > 0 ? { options: Object.fromEntries(options) } : {}),
    stacks: plan.stacks,
    btf,
    dwarfPids: tookOver ? pids : attached,
    dwarfGeneration: tookOver ? 2 : 1,
    syscallTimes: knowsCalls(plan),
    stackDepth: limits.stackDepth,
    unwindsDwarf: unwindsDwarf(dialect, info.arch),
    room,
    named,
  };
}

function optionsOf({ profilers }: Plan) {
  return profilers
    .filter(({ options }) => Object.keys(options).length > 0)
    .map(({ profiler, options }) => [profiler.name, options] as const);
}
