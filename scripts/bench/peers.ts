import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { $ } from 'zx';
import { longSection, PAGE } from './benchmarks-page.ts';
import { benchEvents } from './events.ts';
import { GCC, type MeasuredBpftrace, requireBpftraces, SETPRIV, TASKSET } from './needs.ts';
import { judgeChange, keep, type Result, reached, tableOf } from './rows.ts';
import { compile, MACHINE, QUIET, requireQuiet, temporaryDirectory } from './run-tools.ts';
import { benchSlowdown } from './slowdown.ts';
import { benchStart } from './start.ts';

const KEPT = 'docs/benchmarks.json';

/** Input of the benchmarks. */
interface Bench {
  readonly versions: readonly MeasuredBpftrace[];
  /** Builds a program from fixtures/workloads and returns its path. */
  readonly workload: (name: string) => Promise<string>;
  /** Directory that the tools write to. */
  readonly dir: string;
}

const MEASURES = {
  events: async ({ versions, workload }: Bench) => benchEvents(versions, await workload('ping-pong')),
  slowdown: async ({ versions, workload, dir }: Bench) =>
    benchSlowdown(versions, await workload('ping-pong'), join(dir, 'runs')),
  start: async ({ versions, workload }: Bench) => benchStart(versions, await workload('many-stacks')),
};

type Name = keyof typeof MEASURES;

/** Each prints its rows and returns whether its aims were met. */
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
 * Runs all of them and writes the page.
 *
 * @param check compare with the committed ratios instead, and write nothing
 * @returns false if a ratio has become worse; without `check`, always true
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

\`npm run bench\` wrote this page, as root. A ratio is btprof's figure divided by that of the peer, which ran in turn with it:
the median, and the range of all turns. Less is better. ${missed === 0 ? 'All aims were reached.' : `${missed} aims were missed.`}
\`npm run bench -- --check\` measures again. It fails when a row is missing, or when a median is worse than in
[benchmarks.json](benchmarks.json) by more than the turns differ, without the best and the worst turn.
[overhead.md](overhead.md) explains where the cost comes from.

Machine: ${MACHINE}; node ${process.version}.
Peers: ${(await versionsOfPeers()).join(', ')}.

${tableOf(rows)}

- ns per event: all programs are attached at once and see the same events, and the kernel times each of them
  (\`kernel.bpf_stats_enabled\`). offcputime and the program that only saves both stacks follow the whole machine; the others
  follow one command and its child.
- Time added: the time of the command alone is subtracted. strace gets 50 times fewer events and perf trace 5 times fewer,
  because they are slow.
- Until the command runs: from the start of the tool. offcputime-bpfcc starts no command; for it, the time ends when it
  prints that it traces.
`;
}

const PACKAGES = ['libbpf-tools', 'bpfcc-tools', 'linux-perf', 'strace'];

async function versionsOfPeers(): Promise<string[]> {
  const { stdout } = await $({ ...QUIET })`dpkg-query -W ${PACKAGES}`;
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => line.replace('\t', ' '));
}
