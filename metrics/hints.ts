import type { Mapping } from '../parsers/proc.ts';
import type { Offcpu } from './ebpf-schema.ts';
import type { Ending, Facts } from './facts.ts';
import type { AddressSpaces } from './mappings.ts';
import type { Account } from './schema.ts';
import { formatNs, formatShare, plural } from './units.ts';

/** As many as are told at once. */
const MOST_HINTS = 3;
/** A share of waits, or frames, that is worth a word. */
const WORTH = 0.1;

/** A runtime that can name the functions it compiles, when it is asked to. */
interface Runtime {
  readonly name: string;
  /** The file that its processes have mapped. */
  readonly file: RegExp;
  readonly advice: string;
}

const RUNTIMES: readonly Runtime[] = [
  {
    name: 'Node.js',
    file: /\/(node|nodejs|libnode\.so\S*)$/,
    advice: 'node --perf-basic-prof, or NODE_OPTIONS=--perf-basic-prof, names its JavaScript',
  },
  {
    name: 'Java',
    file: /\/libjvm\.so$/,
    advice:
      'java -XX:+PreserveFramePointer, and "jcmd PID Compiler.perfmap" while it runs (JDK 17 and newer), name its methods',
  },
  {
    name: 'Python',
    file: /\/(lib)?python3\.(1[2-9]|[2-9]\d)(\.so\S*)?$/,
    advice: 'python3 -X perf, or PYTHONPERFSUPPORT=1, names its functions',
  },
  {
    name: 'Python',
    file: /\/(lib)?python3\.(\d|1[01])(\.so\S*)?$/,
    advice: 'Python 3.12 and newer can name its functions: python3 -X perf',
  },
];

type DwarfFacts = Pick<Facts, 'mode' | 'dwarfPids' | 'unwindsDwarf'>;

/** What would show more than this profile does, the most useful first: a sentence each. */
export function hintsFor(offcpu: Offcpu, facts: DwarfFacts, ending: Ending): string[] {
  return [...runtimeHints(offcpu, ending), ...frameHints(offcpu, facts), ...symbolHints(offcpu)].slice(
    0,
    MOST_HINTS,
  );
}

/** A share of the account that needs an explanation. */
const OFF_BALANCE = 0.01;

/**
 * Why the account does not add up, when it does not, and why the scheduler's count does not, when that is wrong.
 *
 * @param isWhole whether all waits were seen and kept
 */
export function accountHints(
  account: Account | undefined,
  { total_events: waits }: Offcpu,
  isWhole: boolean,
): string[] {
  if (!account) return [];
  const isMuch = (ns: number) => Math.abs(ns) > OFF_BALANCE * account.thread_time_ns;
  const { unaccounted_ns: lost, miscounted_ns: miscounted } = account;
  return [
    ...(isMuch(lost) ? [lossSentence(lost, isWhole)] : []),
    ...(isMuch(miscounted) ? [miscountSentence(miscounted, waits)] : []),
  ];
}

function lossSentence(ns: number, isWhole: boolean): string {
  if (ns < 0) return `${formatNs(-ns)} is both on a CPU and off it: the ends of some waits were not seen`;
  const why = isWhole
    ? 'waits are missing, as with --min-block, or switches were not seen'
    : 'part of the waits was lost';
  return `${formatNs(ns)} is neither on a CPU nor off it: ${why}`;
}

function miscountSentence(ns: number, waits: number): string {
  return ns < 0
    ? `the scheduler counts ${formatNs(-ns)} as on the CPU in which threads still waited, ${formatNs(-ns / Math.max(1, waits))} a wait: it counts them from their waking on`
    : `the scheduler does not count ${formatNs(ns)} that threads were on a CPU: it counts that for threads which preempted these, the hypervisor took it, or it was asked before the end`;
}

/** Processes of a runtime that waited and have written no perf-PID.map. */
function runtimeHints(offcpu: Offcpu, { mappings, perfMaps }: Ending): string[] {
  const waited = new Set([...offcpu.stacks, ...offcpu.still_blocked].map((row) => row.pid));
  return silentRuntimes(mappings, (pid) => waited.has(pid) && !perfMaps.includes(pid)).map(
    ({ which, advice }) => `${which}: ${advice}`,
  );
}

/** Whether a process with these mappings is of a runtime that may tell what code it compiles. */
export function isRuntime(space: readonly Mapping[]): boolean {
  return RUNTIMES.some(({ file }) => hasMapped(space, file));
}

function hasMapped(space: readonly Mapping[], file: RegExp): boolean {
  return space.some(({ path }) => file.test(path));
}

/**
 * Runtimes whose processes do not say what code they compile.
 *
 * @param asked which of the processes are meant
 */
export function silentRuntimes(
  spaces: AddressSpaces,
  asked: (pid: number) => boolean,
): { which: string; advice: string }[] {
  const programs = [...spaces].map(([key, space]) => ({ pid: Number.parseInt(key, 10), space }));
  return RUNTIMES.flatMap(({ name, file, advice }) => {
    const pids = new Set(
      programs.filter(({ pid, space }) => hasMapped(space, file) && asked(pid)).map(({ pid }) => pid),
    );
    if (pids.size === 0) return [];
    const verb = pids.size === 1 ? 'does not say what code it compiles' : 'do not say what code they compile';
    return [
      {
        which: `${plural(pids.size, 'process', 'processes')} of ${name} (${listed([...pids])}) ${verb}`,
        advice,
      },
    ];
  });
}

function listed(pids: readonly number[]): string {
  return pids.length > 3 ? `${pids.slice(0, 3).join(', ')}, ...` : pids.join(', ');
}

/** Code without frame pointers. */
function frameHints({ stacks, total_time_ns: total }: Offcpu, facts: DwarfFacts): string[] {
  const incomplete = stacks.reduce(
    (sum, row) => sum + (row.user_incomplete && !row.since_start ? row.time_ns : 0),
    0,
  );
  if (incomplete <= WORTH * total) return [];
  const share = `${formatShare(incomplete, total)} of the off-CPU time is in stacks that lack callers`;
  return [`${share}, for code without frame pointers hides them: ${callerAdvice(facts)}`];
}

function callerAdvice({ mode, dwarfPids, unwindsDwarf }: DwarfFacts): string {
  const compile = 'compile it with -fno-omit-frame-pointer';
  if (dwarfPids.length > 0 || unwindsDwarf === 'no') return compile;
  if (unwindsDwarf === 'too old') return `${compile}, or use --unwind dwarf with bpftrace 0.26 or newer`;
  return `${mode === 'system' ? 'attach ' : ''}--unwind dwarf finds them, or ${compile}`;
}

/** The file with the most frames that have no name. */
function symbolHints({ frames }: Offcpu): string[] {
  const unnamed = new Map<string, number>();
  for (const { symbol, module } of frames)
    if (symbol === null && module?.startsWith('/')) unnamed.set(module, (unnamed.get(module) ?? 0) + 1);
  const [most] = [...unnamed].sort(([, a], [, b]) => b - a);
  if (!most || most[1] <= WORTH * frames.length) return [];
  return [`no name for ${plural(most[1], 'frame')} of ${most[0]}: its debug symbols would have them`];
}
