import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { longSection, PAGE } from './benchmarks-page.ts';
import { benchEvents } from './events.ts';
import { GCC, type MeasuredBpftrace, requireBpftraces, SETPRIV, TASKSET } from './needs.ts';
import { judgeChange, keep, type Result, reached, tableOf } from './rows.ts';
import { compile, MACHINE, requireQuiet, temporaryDirectory } from './run-tools.ts';
import { benchSlowdown } from './slowdown.ts';
import { benchStart } from './start.ts';

const KEPT = 'docs/benchmarks.json';

/** What the benchmarks need. */
interface Bench {
  readonly versions: readonly MeasuredBpftrace[];
  /** Of a program of fixtures/workloads. */
  readonly workload: (name: string) => Promise<string>;
  /** For what tools write. */
  readonly dir: string;
}

const MEASURES = {
  events: async ({ versions, workload }: Bench) => benchEvents(versions, await workload('ping-pong')),
  slowdown: async ({ versions, workload, dir }: Bench) =>
    benchSlowdown(versions, await workload('ping-pong'), join(dir, 'runs')),
  start: async ({ versions, workload }: Bench) => benchStart(versions, await workload('many-stacks')),
};

type Name = keyof typeof MEASURES;

/** Each by its name: prints its rows and tells whether the aims were reached. */
export const PEER_BENCHMARKS: Record<Name, () => Promise<boolean>> = {
  events: () => benchOne('events'),
  slowdown: () => benchOne('slowdown'),
  start: () => benchOne('start'),
};

async function benchOne(name: Name): Promise<boolean> {
  const rows = await measure([name]);
  console.log(tableOf(rows));
  return rows.every(reached);
}

/**
 * All of them.
 *
 * @param check compares with what is committed, which stays as it is
 * @returns false when a ratio has become worse; without `check`, always true
 */
export async function benchPeers(check: boolean): Promise<boolean> {
  const rows = await measure(Object.keys(MEASURES) as Name[]);
  console.log(tableOf(rows));
  if (!check) {
    keep(rows, MACHINE, KEPT);
    writeFileSync(PAGE, `${await pageOf(rows)}${longSection(readFileSync(PAGE, 'utf8'))}`);
    return true;
  }
  const worse = judgeChange(rows, MACHINE, KEPT);
  for (const sentence of worse) console.error(`bench: ${sentence}`);
  return worse.length === 0;
}

async function measure(names: readonly Name[]): Promise<Result[]> {
  const versions = await requireBpftraces(GCC, SETPRIV, TASKSET);
  requireQuiet();
  const dir = temporaryDirectory();
  const bench = { versions, dir, workload: (name: string) => compile(name, dir) };
  const rows: Result[] = [];
  for (const name of names) rows.push(...(await MEASURES[name](bench)));
  return rows;
}

async function pageOf(rows: readonly Result[]): Promise<string> {
  const missed = rows.filter((row) => !reached(row)).length;
  return `# Benchmarks

Written by \`npm run bench\`, as root. Each ratio is btprof's figure of the peer's, of runs taken in turn: the median, and the
least and greatest of the turns. Less is better. ${missed === 0 ? 'All aims were reached.' : `${missed} aims were missed.`}
\`npm run bench -- --check\` measures again and fails where a median has become worse than in [benchmarks.json](benchmarks.json)
by more than the turns of that run differ, but for the best and the worst, and where one is missing. [overhead.md](overhead.md) says where the cost is.

Machine: ${MACHINE}; node ${process.version}.
Peers: ${(await versionsOfPeers()).join(', ')}.

${tableOf(rows)}

- ns per event: all programs are attached at once and see the same events; the kernel times each of them
  (\`kernel.bpf_stats_enabled\`). offcputime, and what only saves both stacks, follow the whole machine, the others one
  command and its child.
- Time added: the command alone is subtracted. strace gets 50 times fewer events and perf trace 5 times fewer, for they are
  slow.
- To the command running: from the start of the tool. offcputime-bpfcc has none, and says when it traces.
`;
}

const PACKAGES = ['libbpf-tools', 'bpfcc-tools', 'linux-perf', 'strace'];

async function versionsOfPeers(): Promise<string[]> {
  const asked = await execa('dpkg-query', ['-W', ...PACKAGES], { reject: false });
  return (asked.stdout ?? '')
    .split('\n')
    .filter(Boolean)
    .map((line) => line.replace('\t', ' '));
}
