/**
 * Measures how many user frames get a name after their processes have ended. Profiles 501 short programs by btprof with each
 * bpftrace, by that bpftrace alone, and by offcputime of libbpf-tools.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { $ } from 'zx';
import type { Profile } from '../../metrics/schema.ts';
import { GCC, type MeasuredBpftrace, requireBpftraces } from './needs.ts';
import { heard, hold, obstacleTo, signal, spawnTool } from './run-tools.ts';

const BTPROF = fileURLToPath(new URL('../../dist/btprof.mjs', import.meta.url));
const AIM = 99;
const OFFCPUTIME = {
  name: 'offcputime (libbpf-tools)',
  package: 'libbpf-tools',
  trial: ['offcputime', '1'],
};
/** Names of the short programs. */
const SHORT = ['true', 'ls', 'waiter'];

/** The user stacks of the short programs, as one tool printed them. */
interface Shown {
  readonly tool: string;
  /** Number of different stacks of waits: rows of its output. */
  readonly rows: number;
  /** Number of stacks whose first user frame has a name. */
  readonly named: number;
  /**
   * Percentage of the user frames in mapped code that have a module and a function. Only btprof reports which frames are in
   * mapped code.
   */
  readonly frames?: number;
}

/** @returns whether the aim was met */
export async function benchNames(dir: string): Promise<boolean> {
  const loop = await writeLoop(dir);
  const shown: Shown[] = [];
  for (const bpftrace of await requireBpftraces(GCC))
    shown.push(await byBtprof(bpftrace, loop), await byBpftrace(bpftrace, loop));
  const obstacle = await obstacleTo(OFFCPUTIME);
  if (!obstacle) shown.push(await byOffcputime(loop));
  console.log('\nsymbols: 501 runs of true, ls and a program with a library of its own, when all are gone');
  console.log('  tool                       stacks  first user frame named  user frames named');
  for (const { tool, rows, named, frames } of shown) {
    const share = rows ? `${((100 * named) / rows).toFixed(1)} %` : '-';
    const cells = [
      String(rows).padStart(8),
      share.padStart(24),
      (frames ? `${frames.toFixed(1)} %` : '').padStart(19),
    ];
    console.log(`  ${tool.padEnd(25)}${cells.join('')}`);
  }
  if (obstacle) console.log(`  ${OFFCPUTIME.name.padEnd(25)}cannot run here: ${obstacle}`);
  const least = Math.min(...shown.flatMap(({ frames }) => frames ?? []));
  const reached = least >= AIM;
  console.log(
    `${reached ? 'reached' : 'MISSED '}  ${least.toFixed(2)} % of user frames named (aim: ${AIM} or more)`,
  );
  return reached;
}

async function writeLoop(dir: string): Promise<string> {
  const [library, main] = ['waiting.c', 'main.c'].map((name) => join(dir, name)) as [string, string];
  const wait =
    '#include <time.h>\nint wait_ms(int ms) { struct timespec t = {0, ms * 1000000L}; return nanosleep(&t, 0) + 1; }\n';
  writeFileSync(library, wait);
  writeFileSync(main, 'int wait_ms(int);\nint main(void) { return wait_ms(1) - 1; }\n');
  const flags = ['-O1', '-fno-omit-frame-pointer'];
  const run = $({ quiet: true });
  await run`gcc ${flags} -shared -fPIC -o ${dir}/libwaiting.so ${library}`;
  await run`gcc ${flags} -o ${dir}/waiter ${main} -L ${dir} -lwaiting -Wl,-rpath,${dir}`;
  const loop = join(dir, 'loop.sh');
  writeFileSync(
    loop,
    `i=0; while [ $i -lt 167 ]; do /bin/true; ls / > /dev/null; ${dir}/waiter; i=$((i+1)); done\n`,
  );
  return loop;
}

async function byBtprof({ version, path }: MeasuredBpftrace, loop: string): Promise<Shown> {
  const args = ['run', '-p', 'offcpu', '--json', '--bpftrace', path, 'sh', loop];
  const { stdout } = await $({ quiet: true })`exec node ${BTPROF} ${args}`;
  const { offcpu } = (JSON.parse(stdout) as Profile).ebpf;
  const frame = (index: number | undefined) => offcpu?.frames[index ?? -1];
  const rows = (offcpu?.stacks ?? []).filter(({ user }) => user.length > 0);
  const short = rows.filter(({ pid, tid }) =>
    SHORT.includes(offcpu?.thread_stats[`${pid}:${tid}`]?.comm ?? ''),
  );
  const mapped = short.flatMap(({ user, count }) =>
    user.map(frame).flatMap((f) => (f?.module ? [{ count, named: f.symbol !== null }] : [])),
  );
  const waits = (frames: typeof mapped) => frames.reduce((sum, { count }) => sum + count, 0);
  return {
    tool: `btprof, bpftrace ${version}`,
    rows: short.length,
    named: short.filter(({ user }) => frame(user[0])?.symbol).length,
    frames: (100 * waits(mapped.filter(({ named }) => named))) / waits(mapped),
  };
}

const ALONE = `
BEGIN { @t[(uint64)$1] = (uint64)1; printf("ready\\n"); }
tracepoint:sched:sched_switch /@t[(uint64)pid]/ { @s[comm, ustack] = count(); }
tracepoint:task:task_newtask /@t[(uint64)pid]/ { @t[(uint64)args->pid] = (uint64)1; }
END { clear(@t); }`;

async function byBpftrace({ version, path }: MeasuredBpftrace, loop: string): Promise<Shown> {
  const target = hold(['sh', loop]);
  const env = { BPFTRACE_MAP_KEYS_MAX: '65536', BPFTRACE_MAX_MAP_KEYS: '65536' };
  const words = ['--no-warnings', '-e', ALONE, `${target.pid}`];
  const tracer = spawnTool(path, words, { env: { ...process.env, ...env } });
  await heard(tracer, 'ready');
  await target.run();
  await sleep(500);
  signal(tracer, 'SIGINT');
  const { stdout } = await tracer;
  const rows = [...stdout.matchAll(/^@s\[(\S+), *\n?([^\]]*?)\n?\]: \d+$/gm)].filter(
    ([, comm, stack]) => SHORT.includes(comm ?? '') && /\S/.test(stack ?? ''),
  );
  const named = rows.filter(([, , stack]) => isName((stack ?? '').trim().split('\n')[0] ?? ''));
  return { tool: `bpftrace ${version} alone`, rows: rows.length, named: named.length };
}

function isName(frame: string): boolean {
  return !/^\s*(0x)?[0-9a-f]+(\s|$)/.test(frame) && !frame.includes('[unknown]');
}

/** offcputime prints kernel frames first, and user frames after them without a separator. */
async function byOffcputime(loop: string): Promise<Shown> {
  const kernel = new Set(
    [...readFileSync('/proc/kallsyms', 'latin1').matchAll(/^\S+ \S (\S+)/gm)].map((m) => m[1]),
  );
  const tracer = spawnTool('offcputime', ['-u', '--stack-storage-size', '65536'], {});
  await sleep(3000);
  await $({ quiet: true })`sh ${loop}`;
  await sleep(500);
  signal(tracer, 'SIGINT');
  const { stdout } = await tracer;
  const rows = stdout.split('\n\n').flatMap((block) => {
    const comm = /^ +- +(\S+) \(\d+\)$/m.exec(block)?.[1] ?? '';
    const frames = block.split('\n').map((line) => line.trim());
    return SHORT.includes(comm)
      ? [
          frames.slice(
            0,
            frames.findIndex((line) => line.startsWith('-')),
          ),
        ]
      : [];
  });
  const named = rows.filter((frames) =>
    frames.some((frame) => !kernel.has(frame) && !/^bpf_|^\[/.test(frame)),
  );
  return { tool: OFFCPUTIME.name, rows: rows.length, named: named.length };
}
