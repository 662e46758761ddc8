import { FULL_MAP } from '../metrics/core-maps.ts';

/** Statements that run at one probe. The clauses of several fragments at the same probe become one. */
export interface Clause {
  /** The probe, as bpftrace spells it. */
  readonly attach: string;
  /** Runs the statements only if this is true. */
  readonly condition?: string;
  /** The comment that is printed above them. */
  readonly comment: string;
  /** Statements, each without its indentation. */
  readonly body: readonly string[];
}

/** One map of a program. Keys and values are made of words of 8 bytes, and of stacks. */
export interface KernelMap {
  readonly name: `@${string}`;
  /** A result is printed at every interval and at the end, a leftover at the end only, a helper never. */
  readonly role: 'result' | 'leftover' | 'helper';
  /** Number of words in a key; 0 for a single variable, or if the key has only stacks. */
  readonly key: number;
  /** Number of words in a value. */
  readonly value: number;
  /** Each CPU has its own value. */
  readonly perCpu?: boolean;
  /** Its values are written by `stats()`. */
  readonly stats?: boolean;
  /**
   * Whether the program reports entries that did not fit. A map that only grows does not need this: its size shows that
   * it is full.
   */
  readonly reportsFull?: boolean;
  readonly stacksInKey?: number;
  readonly stacksInValue?: number;
  /** `frames`: stack limit of this map; `from`: the map exists only for a `--stack-depth` of at least this. */
  readonly short?: { readonly frames: number; readonly from: number };
}

/** The part of the program that a profiler or the shared tracking contributes. */
export interface Fragment {
  /** Statements for the BEGIN clause. */
  readonly begin?: readonly string[];
  readonly clauses: readonly Clause[];
  readonly maps: readonly KernelMap[];
  /** Statements for the moments at which tracking starts or stops following a thread. */
  readonly hooks?: Partial<Hooks>;
  /** Whether it prints the exit of every followed thread itself. */
  readonly printsExits?: boolean;
}

/** Statements of fragments that run at certain moments of a followed thread. */
export interface Hooks {
  /** For each running thread that btprof names to the program; `$named` is its tid. */
  readonly onNamed: readonly string[];
  /** For the exec by which the held process becomes the command, at `$now`. */
  readonly onCommand: readonly string[];
  /** For each new program of a followed process, at `$now`, after its exec generation has gone up. */
  readonly onProgram: readonly string[];
  /** For each thread of the machine that the kernel has freed; `$gone` is its tid. */
  readonly onFreed: readonly string[];
}

export interface ProgramOptions {
  /** Lines of the comment at the head of the program. */
  readonly head: readonly string[];
  /** Settings in the program's config block. */
  readonly config?: readonly string[];
  /** Milliseconds between prints of the result maps; none without an interval. */
  readonly intervalMs?: number | undefined;
  /** The profiler's pid; none for a program that runs without btprof. */
  readonly self?: number | undefined;
}

/**
 * Writes one bpftrace program from fragments. Only numbers and names from this code enter it.
 *
 * The program prints `ready` from BEGIN: bpftrace prints nothing until all probes are attached, so nothing is lost
 * after that line. When the profiler asks for the maps, they are printed between `stop` and `end`, while the probes are
 * still attached: detaching takes up to a second, in which some probes would still count. Without a profiler, END
 * prints `stop`, and then bpftrace prints the maps.
 */
export function writeProgram(fragments: readonly Fragment[], options: ProgramOptions): string {
  const stops = options.self !== undefined;
  const maps = mapsOf(fragments, stops);
  // Counting continues while maps are printed. Stacks take longest, so they come last.
  const results = named(maps, 'result').toReversed();
  const leftovers = named(maps, 'leftover');
  const helpers = named(maps, 'helper');
  const clauses: Clause[] = [
    {
      attach: 'BEGIN',
      comment: 'Printed once all probes are attached.',
      body: [...fragments.flatMap((f) => f.begin ?? []), 'print(("ready", nsecs));'],
    },
    ...fragments.flatMap((f) => f.clauses),
    ...(options.intervalMs ? [intervalClause(options.intervalMs, results, stops)] : []),
    ...(options.self === undefined ? [] : profilerClauses(options.self, [...results, ...leftovers])),
    {
      attach: 'END',
      comment: 'The probes are detached. After this, bpftrace prints the remaining maps.',
      body: ['print(("stop", nsecs));', ...helpers.map((map) => `clear(${map});`)],
    },
  ];
  const head = options.head.map((line) => ` * ${line}`.trimEnd());
  const config = options.config?.length ? `config = { ${options.config.join('; ')} }\n\n` : '';
  return `/*\n${head.join('\n')}\n */\n\n${config}${byProbe(clauses).map(writeClauses).join('\n')}`;
}

/** All maps of a program. One that `stops` has a map that says whether the collection has ended. */
export function mapsOf(fragments: readonly Fragment[], stops: boolean): KernelMap[] {
  const maps = fragments.flatMap((fragment) => fragment.maps);
  return [
    ...maps,
    ...(maps.some((map) => map.reportsFull) ? [FULL] : []),
    ...(stops ? [{ name: STOPPED, role: 'helper', key: 0, value: 1 } as const] : []),
  ];
}

function named(maps: readonly KernelMap[], role: KernelMap['role']): string[] {
  return maps.filter((map) => map.role === role).map((map) => map.name);
}

/** Names of the maps that were full when an entry was added. */
const FULL: KernelMap = { name: FULL_MAP, role: 'result', key: 8, value: 1 };

/**
 * The statement that reports a map as full when an insert had no effect. bpftrace up to 0.22 is silent about it, and
 * later versions write a line for every entry that did not fit.
 *
 * @param missing the condition that holds when the entry is missing
 */
export function reportFull(map: string, missing: string): string {
  return `if (${missing}) { ${fullFlag(map)} = 1; }`;
}

/** The expression that is 1 if a map was full. */
export function fullFlag(map: string): string {
  return `${FULL_MAP}["${map}"]`;
}

/** Maps are cumulative and never cleared: an event between a print and a clear would be lost. */
function intervalClause(ms: number, maps: readonly string[], stops: boolean): Clause {
  return {
    attach: `interval:ms:${ms}`,
    ...(stops ? { condition: `${STOPPED} == 0` } : {}),
    comment: 'Totals since the start; the reader subtracts the previous ones.',
    body: ['print(("tick", nsecs));', ...maps.map((map) => `print(${map});`), 'print(("tock", nsecs));'],
  };
}

/** `clone_flags` of a new thread of the same process (linux/sched.h). */
export const CLONE_THREAD = '0x10000';

/** The map that is set when the profiler has asked for the maps: waits must not end while they are printed. */
export const STOPPED = '@stopped';

/**
 * Suffix for a condition so that it stops recording once the collection has ended; later prints must reflect that
 * moment.
 *
 * @param options `stops`: whether the program learns of the end
 */
export function unlessStopped({ stops }: { readonly stops: boolean }): string {
  return stops ? ` && ${STOPPED} == 0` : '';
}

export function indent(lines: readonly string[]): string[] {
  return lines.map((line) => (line ? `  ${line}` : ''));
}

/** Name of the process by which the profiler asks for the maps; processes under other names do not count. */
export const ASKING = 'btprof-asks';

function profilerClauses(self: number, maps: readonly string[]): Clause[] {
  return [
    {
      attach: 'tracepoint:task:task_newtask',
      condition: `pid == ${self} && !(args->clone_flags & ${CLONE_THREAD}) && comm == "${ASKING}"`,
      comment: 'btprof asks for the maps by starting a process with this name.',
      body: [
        `${STOPPED} = 1;`,
        'print(("stop", nsecs));',
        ...maps.map((map) => `print(${map});`),
        'print(("end", nsecs));',
      ],
    },
    {
      attach: 'tracepoint:sched:sched_process_exit',
      condition: `tid == ${self}`,
      comment: 'Ends when btprof ends, also after kill -9.',
      body: ['exit();'],
    },
  ];
}

/**
 * Groups clauses by probe, in the order in which the probes first occur: each attached program takes 30 to 45 ms to
 * detach.
 */
function byProbe(clauses: readonly Clause[]): (readonly [Clause, ...Clause[]])[] {
  const groups = new Map<string, [Clause, ...Clause[]]>();
  for (const clause of clauses) {
    const group = groups.get(clause.attach);
    if (group) group.push(clause);
    else groups.set(clause.attach, [clause]);
  }
  return [...groups.values()];
}

/** Writes one clause: the statements of all fragments, one after the other. */
function writeClauses([first, ...others]: readonly [Clause, ...Clause[]]): string {
  if (others.length === 0) return writeClause(first);
  const conditions = new Set([first, ...others].map(({ condition }) => condition));
  const [condition] = conditions.size === 1 ? [...conditions] : [];
  const parts = [first, ...others].map((part) => [
    ...commentLines(part.comment),
    ...(part.condition === condition ? part.body : [`if (${part.condition}) {`, ...indent(part.body), '}']),
  ]);
  const body = parts.flatMap((part, i) => (i > 0 ? ['', ...part] : part));
  return writeProbe(first.attach, condition, body);
}

function writeClause({ attach, condition, comment, body }: Clause): string {
  return `${commentLines(comment).join('\n')}\n${writeProbe(attach, condition, body)}`;
}

function writeProbe(attach: string, condition: string | undefined, body: readonly string[]): string {
  const predicate = condition === undefined ? '' : `\n/${condition}/`;
  return `${attach}${predicate}\n{\n${indent(body).join('\n')}\n}\n`;
}

function commentLines(comment: string): string[] {
  return comment.split('\n').map((line) => `// ${line}`);
}
