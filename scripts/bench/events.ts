/**
 * Measures what one event costs in the kernel. All programs are attached at once and see the same events. The kernel times each
 * program (kernel.bpf_stats_enabled).
 */

import { timePrograms } from '../../bt/driver/program-time.ts';
import { Refusal } from '../refusal.ts';
import { ourProgram, plainOffcpu, plainSyscalls, savedStacks, treeSyscalls } from './compared-programs.ts';
import type { MeasuredBpftrace } from './needs.ts';
import { type Result, rowOf } from './rows.ts';
import { hold, obstacleTo, programsOf, startAttached, startProgram, type Tool } from './run-tools.ts';

const TURNS = 5;
const ROUNDS = 100_000;
const BYTES = 300_000;

const SWITCH = {
  stacks: 'ns per context switch, both stacks',
  none: 'ns per context switch, --no-stacks',
};
const CALL = 'ns per system call, per process and call';
const AIM = {
  offcputime: 0.6,
  plain: 0.8,
  syscount: { '0.17': 2, '0.23': 1.2, '0.27': 1.2 } as Readonly<Record<string, number>>,
};

const OFFCPUTIME = {
  name: 'offcputime (libbpf-tools)',
  package: 'libbpf-tools',
  trial: ['offcputime', '1'],
};
const SYSCOUNT = {
  name: 'syscount -p (libbpf-tools)',
  package: 'libbpf-tools',
  trial: ['syscount', '-d', '1'],
};

type Starts = Record<string, () => Promise<Tool>>;

export async function benchEvents(
  versions: readonly MeasuredBpftrace[],
  pingPong: string,
): Promise<Result[]> {
  const timing = await timePrograms();
  const problem = timing.problem();
  if (problem) throw new Refusal(`the kernel does not time programs: ${problem}`);
  try {
    const rows: Result[] = [];
    for (const bpftrace of versions)
      rows.push(...(await benchSwitches(bpftrace, pingPong)), ...(await benchCalls(bpftrace)));
    return rows;
  } finally {
    timing.stop();
  }
}

async function benchSwitches({ path, version }: MeasuredBpftrace, pingPong: string): Promise<Result[]> {
  const reason = await obstacleTo(OFFCPUTIME);
  const costs = await costsOf(['taskset', '-c', '0', pingPong, `${ROUNDS}`], 2 * ROUNDS, (pid) => ({
    stacks: async () => startProgram(path, await ourProgram(path, pid, ['offcpu'])),
    none: async () => startProgram(path, await ourProgram(path, pid, ['offcpu'], false)),
    plainStacks: () => startProgram(path, plainOffcpu(pid, true)),
    plainNone: () => startProgram(path, plainOffcpu(pid, false)),
    saved: () => startProgram(path, savedStacks()),
    ...(reason ? {} : { offcputime: () => startAttached('offcputime', []) }),
  }));
  const row = (measure: string, peer: string, ours: string, theirs: string, aim?: number) =>
    rowOf({ measure, bpftrace: version, peer, aim }, costs[ours] ?? [], costs[theirs] ?? [], ns);
  return [
    reason
      ? { measure: SWITCH.stacks, bpftrace: version, peer: OFFCPUTIME.name, reason }
      : row(SWITCH.stacks, OFFCPUTIME.name, 'stacks', 'offcputime', AIM.offcputime),
    row(SWITCH.stacks, 'plain bpftrace, one map per field', 'stacks', 'plainStacks'),
    row(SWITCH.stacks, 'minimal bpftrace: both stacks saved', 'stacks', 'saved'),
    row(SWITCH.none, 'plain bpftrace, one map per field', 'none', 'plainNone', AIM.plain),
  ];
}

async function benchCalls({ path, version }: MeasuredBpftrace): Promise<Result[]> {
  const reason = await obstacleTo(SYSCOUNT);
  const dd = ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=1', `count=${BYTES}`, 'status=none'];
  const costs = await costsOf(dd, 2 * BYTES, (pid) => ({
    ours: async () => startProgram(path, await ourProgram(path, pid, ['syscalls'])),
    plain: () => startProgram(path, plainSyscalls(pid)),
    tree: () => startProgram(path, treeSyscalls(pid)),
    ...(reason ? {} : { syscount: () => startAttached('syscount', ['-p', `${pid}`]) }),
  }));
  const row = (peer: string, theirs: string, aim?: number) =>
    rowOf({ measure: CALL, bpftrace: version, peer, aim }, costs.ours ?? [], costs[theirs] ?? [], ns);
  return [
    reason
      ? { measure: CALL, bpftrace: version, peer: SYSCOUNT.name, reason }
      : row(SYSCOUNT.name, 'syscount', AIM.syscount[version]),
    row('minimal bpftrace: one count()', 'plain'),
    row('minimal bpftrace: one process tree', 'tree'),
  ];
}

const ns = (n: number) => `${n.toFixed(0)} ns`;

/** ns per event of each tool, by turn. The first program at an event has cold caches, so the tools take turns at being first. */
async function costsOf(
  command: readonly string[],
  events: number,
  tools: (pid: number) => Starts,
): Promise<Record<string, number[]>> {
  const costs: Record<string, number[]> = {};
  for (let turn = 0; turn < TURNS; turn++) {
    const target = hold(command);
    const started: [string, Tool][] = [];
    try {
      const starts = Object.entries(tools(target.pid));
      for (const [i] of starts.entries()) {
        const [name, start] = starts[(i + turn) % starts.length] as (typeof starts)[number];
        started.push([name, await start()]);
      }
      const before = started.map(([, tool]) => programsOf(tool.pid));
      await target.run();
      for (const [i, [name, tool]] of started.entries())
        costs[name] = [
          ...(costs[name] ?? []),
          costOf(name, before[i] ?? new Map(), programsOf(tool.pid), events),
        ];
    } finally {
      for (const [, tool] of started) await tool.kill();
    }
  }
  return costs;
}

/** Cost of the program that ran at each event. */
function costOf(
  name: string,
  before: ReturnType<typeof programsOf>,
  after: ReturnType<typeof programsOf>,
  events: number,
): number {
  const runs = [...after].map(([id, { count, ns }]) => ({
    count: count - (before.get(id)?.count ?? 0),
    ns: ns - (before.get(id)?.ns ?? 0),
  }));
  const most = runs.toSorted((a, b) => b.count - a.count)[0];
  if (!most || most.count < 0.98 * events)
    throw new Refusal(`${name} saw ${most?.count ?? 0} of ${events} events`);
  return most.ns / most.count;
}
