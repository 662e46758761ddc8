import { PROFILERS } from '../../bt/profilers/profiler-registry.ts';
import type { Ending, Facts } from '../../metrics/facts.ts';
import { type AddressSpaces, decodeSpaces } from '../../metrics/mappings.ts';
import {
  type Collected,
  type Earlier,
  measured,
  type Pending,
  readProfile,
  readRecorder,
  readSample,
} from '../../metrics/profile.ts';
import { newRecorder, type Recorder, type Recording, recordLine } from '../../metrics/recording.ts';
import type { Profile, Sample } from '../../metrics/schema.ts';
import type { ResolvedSymbols, UserSymbol } from '../../metrics/symbols.ts';
import { parseKernelSymbols } from '../../parsers/kernel-symbols.ts';
import { answersTo, type Lookups } from './symbol-answers.ts';

/**
 * The output of bpftrace 0.17 for `btprof run -- sleep 0.1`. It contains two of the four rows of @waits and four of the
 * nineteen of @calls.
 */
export const SLEEP_LINES = [
  '{"type": "attached_probes", "data": {"probes": 9}}',
  '{"type": "value", "data": ["ready",3945554148073]}',
  '{"type": "value", "data": ["exec",3945559760474,26857,1,"sleep"]}',
  '{"type": "value", "data": ["exit",3945662807838,26857,26857,3944517799552,"sleep"]}',
  '{"type": "value", "data": ["stop",3945670370177]}',
  String.raw`{"type": "stats", "data": {"@waits": {"26857,26857,1,0,\n\tffffffff821f8b58 __schedule+1560\n\tffffffff821f94c3 schedule+35\n\tffffffff81415441 exit_to_user_mode_loop+81\n\tffffffff821ed6db do_syscall_64+571\n\tffffffff81000130 entry_SYSCALL_64_after_hwframe+118\n,\n\t7f195c6c5ca3 0x7f195c6c5ca3 ([unknown])\n": {"count": 1, "average": 54311, "total": 54311}, "26857,26857,1,1,\n\tffffffff821f8b58 __schedule+1560\n\tffffffff821f94c3 schedule+35\n\tffffffff8220043e do_nanosleep+94\n\tffffffff8141fcd4 hrtimer_nanosleep+116\n\tffffffff814288d0 common_nsleep+48\n\tffffffff8142bbde __x64_sys_clock_nanosleep+206\n\tffffffff821ed511 do_syscall_64+113\n\tffffffff81000130 entry_SYSCALL_64_after_hwframe+118\n,\n\t7f195c57f503 0x7f195c57f503 ([unknown])\n\t5f5e100 0x5f5e100 ([unknown])\n": {"count": 1, "average": 100093609, "total": 100093609}}}}`,
  '{"type": "map", "data": {"@extremes": {"26857,26857": [100093609,54311]}}}',
  '{"type": "map", "data": {"@calls": {"26857,230": 1, "26857,231": 1, "26857,0": 3, "26857,9": 21}}}',
  '{"type": "value", "data": ["end",3945670417788]}',
];

/** Executable mappings of that process. */
export const SLEEP_MAPS = `\
55ed5ddf1000-55ed5ddf6000 r-xp 00002000 fe:00 260875                     /usr/bin/sleep
7f195c4d6000-7f195c62b000 r-xp 00026000 fe:00 338951                     /usr/lib/x86_64-linux-gnu/libc.so.6
7f195c6a6000-7f195c6cc000 r-xp 00001000 fe:00 338944                     /usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2
`;

/** Rows of /proc/kallsyms of that kernel. */
const KERNEL_SYMBOLS = parseKernelSymbols(`\
ffffffff810000ba T entry_SYSCALL_64_after_hwframe
ffffffff814153f0 T exit_to_user_mode_loop
ffffffff8141fc60 T hrtimer_nanosleep
ffffffff814288a0 t common_nsleep
ffffffff8142bb10 T __x64_sys_clock_nanosleep
ffffffff821ed4a0 T do_syscall_64
ffffffff821f8540 t __schedule
ffffffff821f94a0 T schedule
ffffffff822003e0 t do_nanosleep
`);

/** The only one of its two places in user code with a name, because the loader is stripped. */
const USER_SYMBOLS: Readonly<Record<string, UserSymbol>> = {
  '/usr/lib/x86_64-linux-gnu/libc.so.6+849155': { symbol: 'clock_nanosleep', offset: 35 },
};

/** The known symbols of that machine. */
export const SLEEP_LOOKUPS: Partial<Lookups> = {
  kernel: KERNEL_SYMBOLS.find,
  user: ({ path }, fileOffset) => USER_SYMBOLS[`${path}+${fileOffset}`],
};

export const SLEEP_FACTS: Facts = {
  mode: 'run',
  pids: [26857],
  cmd: ['sleep', '0.1'],
  executable: '/usr/bin/sleep',
  t0Ms: 1795368903134,
  host: { kernel: '6.18.0', arch: 'x86_64', cpus: 2, hostname: 'host' },
  btprof: '0.1.0',
  bpftrace: '0.17.0',
  profilers: ['offcpu', 'syscalls'],
  stacks: true,
  btf: true,
  stackDepth: 127,
  dwarfPids: [],
  dwarfGeneration: 1,
  unwindsDwarf: 'too old',
  room: { '@waits': 32_768, '@extremes': 65_536, '@calls': 65_536 },
  named: [],
};

export const SLEEP_ENDING: Ending = {
  elapsedNs: 113_000_000,
  exit: { code: 0, signal: null },
  incomplete: false,
  alive: [],
  mappings: decodeSpaces({ '26857:1': SLEEP_MAPS }),
  perfMaps: [],
  skippedRuns: 0,
  warnings: [],
};

export function recorderOf(lines: readonly string[]): Recorder {
  const recorder = newRecorder();
  for (const line of lines) recordLine(recorder, line);
  return recorder;
}

/** Lines with the other facts about sleep. */
export function collectedOf(lines: readonly string[], facts: Partial<Facts> = {}): Collected {
  const all = { ...SLEEP_FACTS, ...facts };
  return readRecorder(recorderOf(lines), all, measured(all, PROFILERS));
}

export function recordingOf(lines: readonly string[]): Recording {
  return collectedOf(lines).recording;
}

export function sleepProfile(facts: Partial<Facts> = {}, ending: Partial<Ending> = {}): Profile {
  return profileOf(SLEEP_LINES, facts, ending);
}

/** The profile of other lines, with the other facts about sleep. */
export function profileOf(
  lines: readonly string[],
  facts: Partial<Facts> = {},
  ending: Partial<Ending> = {},
  lookups: Partial<Lookups> = {},
): Profile {
  return assembled(pendingProfile(lines, facts, ending), lookups);
}

export function pendingProfile(
  lines: readonly string[],
  facts: Partial<Facts> = {},
  ending: Partial<Ending> = {},
): Pending<Profile> {
  return readProfile(collectedOf(lines, facts), { ...SLEEP_ENDING, ...ending });
}

/** The sample at the end of these lines. */
export function sampleOf(
  lines: readonly string[],
  earlier: Earlier | undefined,
  facts: Partial<Facts> = {},
  { spaces = new Map(), ...lookups }: Partial<Lookups> & { readonly spaces?: AddressSpaces } = {},
): Sample {
  return assembled(readSample(collectedOf(lines, facts), earlier, spaces), lookups);
}

function assembled<Result>({ requests, assemble }: Pending<Result>, lookups: Partial<Lookups>): Result {
  return assemble(answersTo(requests, { ...SLEEP_LOOKUPS, ...lookups }));
}

/** The answers to all requests of the profile of sleep. */
export const SLEEP_SYMBOLS: ResolvedSymbols = answersTo(pendingProfile(SLEEP_LINES).requests, SLEEP_LOOKUPS);
