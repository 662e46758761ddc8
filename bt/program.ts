/** One probe of a bpftrace program. `body` holds statements, each without its indentation. */
export interface Probe {
  readonly attach: string;
  readonly predicate?: string;
  /** Why the probe is there; printed above it. */
  readonly comment: string;
  readonly body: readonly string[];
}

/** One map of a program. Keys and values are made of words of 8 bytes, and of stacks. */
export interface KernelMap {
  readonly name: `@${string}`;
  /** A result is printed at every interval and at the end, a leftover at the end only, a helper never. */
  readonly role: 'result' | 'leftover' | 'helper';
  /** Words of a key; 0 for a map that is one variable, or whose key is stacks only. */
  readonly key: number;
  /** Words of a value. */
  readonly value: number;
  /** Each CPU has a value of its own. */
  readonly perCpu?: boolean;
  /** Its values are written by `stats()`. */
  readonly stats?: boolean;
  /** The program notices when an entry finds no room; a map that only grows is seen to be full when it is printed. */
  readonly noticed?: boolean;
  readonly stacksInKey?: number;
  readonly stacksInValue?: number;
  /** The most frames of its stacks, and how many have to be asked for, that it is there at all. */
  readonly short?: { readonly frames: number; readonly from: number };
}

/** What a profiler, or the tracking that all share, adds to the program. */
export interface Fragment {
  /** Statements for BEGIN, of which a program has one only. */
  readonly begin?: readonly string[];
  readonly probes: readonly Probe[];
  readonly maps: readonly KernelMap[];
  /** Whether it prints the exit of every followed thread itself. */
  readonly exitsSeen?: boolean;
}

export interface ProgramOptions {
  /** Lines of the comment at the head of the program. */
  readonly head: readonly string[];
  /** Settings that bpftrace reads from the program. */
  readonly config?: readonly string[];
  /** Milliseconds between prints of the result maps; none without an interval. */
  readonly intervalMs?: number | undefined;
  /** The profiler's pid; none for a program that runs without btprof. */
  readonly self?: number | undefined;
}

/**
 * Writes one bpftrace program out of fragments. Only numbers and names from this code enter it.
 *
 * The program says `ready` from BEGIN: bpftrace prints nothing until every probe is attached, so the line's
 * arrival means that nothing is lost from then on. All maps are printed between `stop` and `end` when the
 * profiler asks for them, while the probes are live: to detach them takes up to a second, in which some would
 * still count. Without a profiler END says `stop`, and bpftrace prints the maps after it.
 */
export function writeProgram(fragments: readonly Fragment[], options: ProgramOptions): string {
  const stops = options.self !== undefined;
  const maps = mapsOf(fragments, stops);
  // Counts go on while maps are printed, and stacks take longest: they come last.
  const results = named(maps, 'result').toReversed();
  const leftovers = named(maps, 'leftover');
  const helpers = named(maps, 'helper');
  const probes: Probe[] = [
    {
      attach: 'BEGIN',
      comment: 'Printed once all probes are attached.',
      body: [...fragments.flatMap((f) => f.begin ?? []), 'print(("ready", nsecs));'],
    },
    ...fragments.flatMap((f) => f.probes),
    ...(options.intervalMs ? [intervalProbe(options.intervalMs, results, stops)] : []),
    ...(options.self === undefined ? [] : profilerProbes(options.self, [...results, ...leftovers])),
    {
      attach: 'END',
      comment: 'The probes are detached; what is left in the other maps is printed after this.',
      body: ['print(("stop", nsecs));', ...helpers.map((map) => `clear(${map});`)],
    },
  ];
  const head = options.head.map((line) => ` * ${line}`.trimEnd());
  const config = options.config?.length ? `config = { ${options.config.join('; ')} }\n\n` : '';
  return `/*\n${head.join('\n')}\n */\n\n${config}${probes.map(writeProbe).join('\n')}`;
}

/** All maps of a program; one that is `stops` has a switch for its end. */
export function mapsOf(fragments: readonly Fragment[], stops: boolean): KernelMap[] {
  const maps = fragments.flatMap((fragment) => fragment.maps);
  return [
    ...maps,
    ...(maps.some((map) => map.noticed) ? [FULL_MAP] : []),
    ...(stops ? [{ name: STOPPED, role: 'helper', key: 0, value: 1 } as const] : []),
  ];
}

function named(maps: readonly KernelMap[], role: KernelMap['role']): string[] {
  return maps.filter((map) => map.role === role).map((map) => map.name);
}

/** Which maps had no room. */
const FULL_MAP: KernelMap = { name: '@full', role: 'result', key: 8, value: 1 };

/**
 * The statement that notices that an entry just made is not there. bpftrace up to 0.22 says nothing when a map is
 * full, and later versions write a line for every entry that they could not make.
 *
 * @param missing the condition that holds when it is not
 */
export function noteFull(map: string, missing: string): string {
  return `if (${missing}) { @full["${map}"] = 1; }`;
}

/**
 * The statements that add 1 to `place`, an entry of a map whose values are per CPU. Where bpftrace loses the first
 * values that two CPUs add at once, the entry is made with a 0, which may be lost, and is there when the 1 comes.
 */
export function countInto(place: string, losesFirstCounts: boolean): string[] {
  return losesFirstCounts ? [`${place} = sum(0);`, `${place} = sum(1);`] : [`${place} = count();`];
}

/** Maps are cumulative and never cleared: what lands between a print and a clear would be lost. */
function intervalProbe(ms: number, maps: readonly string[], stops: boolean): Probe {
  return {
    attach: `interval:ms:${ms}`,
    ...(stops ? { predicate: `${STOPPED} == 0` } : {}),
    comment: 'Totals since the start; the reader subtracts.',
    body: ['print(("tick", nsecs));', ...maps.map((map) => `print(${map});`), 'print(("tock", nsecs));'],
  };
}

/** `clone_flags` of a new thread of the same process (linux/sched.h). */
export const CLONE_THREAD = '0x10000';

/** Set when the profiler has asked for the maps, which takes a while to print: waits no longer end then. */
export const STOPPED = '@stopped';

/**
 * What a condition ends in, when its program is told of the end: what is printed after that has to be what was true then.
 *
 * @param options `stops`: whether it is told
 */
export function unlessStopped({ stops }: { readonly stops: boolean }): string {
  return stops ? ` && ${STOPPED} == 0` : '';
}

export function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

/** The name under which the profiler asks for the maps: it starts processes for other ends, too. */
export const ASKING = 'btprof-asks';

function profilerProbes(self: number, maps: readonly string[]): Probe[] {
  return [
    {
      attach: 'tracepoint:task:task_newtask',
      predicate: `pid == ${self} && !(args->clone_flags & ${CLONE_THREAD}) && comm == "${ASKING}"`,
      comment: 'The profiler asks for the maps by starting a process under this name.',
      body: [
        `${STOPPED} = 1;`,
        'print(("stop", nsecs));',
        ...maps.map((map) => `print(${map});`),
        'print(("end", nsecs));',
      ],
    },
    {
      attach: 'tracepoint:sched:sched_process_exit',
      predicate: `tid == ${self}`,
      comment: 'No profiler, no program: also after kill -9.',
      body: ['exit();'],
    },
  ];
}

function writeProbe(probe: Probe): string {
  const predicate = probe.predicate ? `\n/${probe.predicate}/` : '';
  const body = probe.body.map((line) => (line ? `  ${line}` : '')).join('\n');
  return `// ${probe.comment.replaceAll('\n', '\n// ')}\n${probe.attach}${predicate}\n{\n${body}\n}\n`;
}
