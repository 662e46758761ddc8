/**
 * `npm run record [-- NAME...]`: records real runs, as each version of bpftrace prints them, into
 * fixtures/recordings/VERSION/NAME.json.gz. The tests use them, and so does the demo where bpftrace cannot run. Without names
 * it records all workloads.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { $ } from 'zx';
import type { Plan } from '../bt/compose.ts';
import { collect } from '../bt/driver/collect.ts';
import { holdTarget } from '../bt/driver/held-target.ts';
import { type Host, requireHost } from '../bt/driver/host.ts';
import type { Target } from '../bt/driver/target.ts';
import { chooseProfilers, parseWanted } from '../bt/profilers/choose.ts';
import { PROFILERS } from '../bt/profilers/profiler-registry.ts';
import { storedEnding } from '../metrics/capture.ts';
import { readProfile } from '../metrics/profile.ts';
import type { KeptRun } from '../metrics/replay.ts';
import { orRefuse, Refusal } from './refusal.ts';
import { prepareVersions } from './versions.ts';

$.verbose = false;
/** Where the workloads are built. The path is part of the recorded mappings, so it must be the same on every machine. */
const BUILT = '/tmp/btprof-workloads';
interface Workload {
  readonly build?: string;
  readonly command: readonly string[];
  readonly plan?: Partial<Plan>;
  /** Whether it is already running when the recording begins. */
  readonly attach?: boolean;
}
const PLAN: Plan = {
  profilers: chosen('offcpu,syscalls'),
  stacks: true,
  stackDepth: 127,
  children: true,
};
const WORKLOADS: Record<string, Workload> = {
  demo: { command: ['node', 'fixtures/workloads/demo.mjs'] },
  sleepers: { build: 'sleepers', command: [`${BUILT}/sleepers`] },
  'sleepers-no-stacks': { build: 'sleepers', command: [`${BUILT}/sleepers`], plan: { stacks: false } },
  forks: { build: 'forks', command: [`${BUILT}/forks`] },
  // Threads that are blocked from before the start until the end.
  deadlock: { build: 'deadlock', command: [`${BUILT}/deadlock`], attach: true, plan: { durationMs: 300 } },
  interval: { build: 'sleepers', command: [`${BUILT}/sleepers`], plan: { intervalMs: 300 } },
  // More threads than fit into the kernel's maps.
  full: { build: 'crowd', command: [`${BUILT}/crowd`, '7', '23'], plan: { mapEntries: 16 } },
  compat: { build: 'compat', command: [`${BUILT}/compat`] },
  oncpu: {
    build: 'sleepers',
    command: [`${BUILT}/sleepers`],
    plan: { profilers: chosen('offcpu,oncpu,syscalls') },
  },
  times: {
    build: 'compat',
    command: [`${BUILT}/compat`],
    plan: { profilers: chosen('offcpu,syscalls:times') },
  },
};

await orRefuse('npm run record', () =>
  recordAll(process.argv.length > 2 ? process.argv.slice(2) : Object.keys(WORKLOADS)),
);

async function recordAll(names: readonly string[]): Promise<void> {
  for (const name of names) {
    const workload = WORKLOADS[name];
    if (!workload)
      throw new Refusal(`there is no workload ${name}. Choose from: ${Object.keys(WORKLOADS).join(', ')}`);
    if (workload.build) await buildWorkload(workload.build);
  }
  for (const { version, path } of await prepareVersions()) {
    mkdirSync(`fixtures/recordings/${version}`, { recursive: true });
    for (const name of names) {
      const run = await record(path, WORKLOADS[name] as Workload);
      const file = `fixtures/recordings/${version}/${name}.json.gz`;
      writeFileSync(file, gzipSync(JSON.stringify(run), { level: 9 }));
      console.log(`${file}: ${run.lines.length} lines`);
    }
  }
}

/** @param list as after `-p` */
function chosen(list: string): Plan['profilers'] {
  return chooseProfilers(parseWanted(list), PROFILERS);
}

async function buildWorkload(name: string): Promise<void> {
  mkdirSync(BUILT, { recursive: true });
  await $`gcc -O1 -w -fno-omit-frame-pointer -pthread -o ${BUILT}/${name} fixtures/workloads/${name}.c`;
}

async function record(bpftrace: string, { command, plan, attach }: Workload): Promise<KeptRun> {
  const host = await requireHost(bpftrace, 'recorded');
  const environment = ['PATH=/usr/local/bin:/usr/bin:/bin', 'LC_ALL=C'].map((entry) => Buffer.from(entry));
  const held = holdTarget(
    command.map((word) => Buffer.from(word)),
    environment,
    [],
  );
  if (attach) {
    held.release();
    await sleep(500);
  }
  const target: Target = attach
    ? { kind: 'attach', pids: [held.pid] }
    : { kind: 'run', held, cmd: command, executable: command[0] as string };
  const lines: string[] = [];
  const { resolve, result } = await collect({ ...PLAN, ...plan }, anonymous(host), target, {
    stop: new Promise(() => undefined),
    onLine: (line) => lines.push(line),
    debug: () => undefined,
  });
  const collection = await result;
  const { facts, ending } = collection;
  const symbols = await resolve(readProfile(collection, ending).requests);
  await collection.close();
  held.signal('SIGKILL');
  return { facts, ending: storedEnding(ending), lines, symbols };
}

/** The host without its name and without the suffix of its kernel version, which must not enter the repository. */
function anonymous(host: Host): Host {
  const kernel = host.info.kernel.split('-')[0] as string;
  return { ...host, info: { ...host.info, hostname: 'recorded', kernel } };
}
