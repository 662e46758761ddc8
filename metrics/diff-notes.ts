import type { Measurement } from './measurement.ts';
import { chanceApart, figureOf } from './noise.ts';
import type { Profile } from './schema.ts';
import type { Side, Sides } from './sides.ts';
import { stackParts } from './timed-stacks.ts';
import { formatNs, formatShare } from './units.ts';

/** States what the reader must know about the two sides before relying on a change. */
export function notesOf(sides: Sides, measurements: readonly Measurement[]): string[] {
  return [
    ...differences(sides),
    ...wallNote(sides),
    ...partNotes(sides, measurements),
    ...[...sides.before, ...sides.after].flatMap(lossNotes),
    ...runsNote(sides),
  ];
}

const ORIGINS: readonly (readonly [string, (profile: Profile) => string])[] = [
  [
    'command',
    ({ metadata: { mode, cmd, pids } }) =>
      mode === 'run' ? cmd.join(' ') : `${mode} ${pids.length} processes`,
  ],
  ['host', ({ metadata: { host } }) => host.hostname],
  ['kernel', ({ metadata: { host } }) => `${host.kernel} ${host.arch}`],
  ['number of CPUs', ({ metadata: { host } }) => String(host.cpus)],
  ['version of btprof', ({ metadata }) => metadata.btprof],
  ['version of bpftrace', ({ metadata }) => metadata.bpftrace],
  ['list of profilers', ({ metadata }) => metadata.profilers.join(',')],
];

/** Only settings that differ are mentioned. */
function differences({ before, after }: Sides): string[] {
  return ORIGINS.flatMap(([name, of]) => {
    const [old, now] = [before, after].map((runs) => distinct(runs, of)) as [string[], string[]];
    if (old.length === 1 && now.length === 1 && old[0] === now[0]) return [];
    const isMixed = old.length === now.length && old.every((value) => now.includes(value));
    if (isMixed) return [`not all runs are of one ${name}: ${old.join(', ')}`];
    return [`another ${name}: ${old.join(', ')} before, ${now.join(', ')} after`];
  });
}

function distinct(runs: readonly Side[], of: (profile: Profile) => string): string[] {
  return [...new Set(runs.map(({ profile }) => of(profile)))];
}

/** Smaller differences of wall times are not mentioned. */
const NOTABLE = 0.1;

function wallNote({ before, after }: Sides): string[] {
  const [old, now] = [before, after].map(
    (runs) => figureOf(runs.map(({ profile }) => ({ value: profile.metadata.wall_time_ns }))).median,
  ) as [number, number];
  if (Math.abs(now - old) <= NOTABLE * old) return [];
  const by = old > 0 ? ` by ${formatShare(Math.abs(now - old), old)}` : '';
  return [
    `the wall times differ${by}, ${formatNs(old)} and ${formatNs(now)}: all figures are sums over them, not rates`,
  ];
}

/** Parts that a result may have, with their names. */
function partsOf(measurements: readonly Measurement[]): (readonly [string, (profile: Profile) => boolean])[] {
  return [
    ['account', ({ account }) => account !== undefined],
    ...measurements.map(({ name, noun }) => [noun, ({ ebpf }: Profile) => ebpf[name] !== undefined] as const),
    ['stacks', (profile) => hasStacks(profile, measurements)],
  ];
}

/** Rows without frames come from a profile without stacks. */
function hasStacks(profile: Profile, measurements: readonly Measurement[]): boolean {
  return stackParts(profile, measurements).every(({ name, stacks }) => {
    const part = profile.ebpf[name];
    return !stacks || stacks.samplesCpu || stacks.rows(part).length === 0 || stacks.frames(part).length > 0;
  });
}

/** Reports parts that only some runs have, because they cannot be compared. */
function partNotes({ before, after }: Sides, measurements: readonly Measurement[]): string[] {
  const runs = [...before, ...after];
  return partsOf(measurements).flatMap(([name, has]) => {
    const without = runs.filter(({ profile }) => !has(profile)).map(({ file }) => file);
    if (without.length === 0 || without.length === runs.length) return [];
    const what = name === 'stacks' ? 'reasons and stacks are those of the others only' : 'not compared';
    return [`no ${name} in ${without.join(', ')}: ${what}`];
  });
}

function lossNotes({ file, profile: { metadata, quality } }: Side): string[] {
  if (metadata.incomplete) return [`${file} is incomplete: its collection was cut short`];
  const lost = quality.lost_events + quality.map_full + quality.kernel_errors + quality.dropped_lines;
  return lost > 0 ? [`${file} lost events: some of its figures are too small`] : [];
}

/** Chance of false alarms, over all unchanged rows, from which a note is given. */
const FALSE_ALARMS = 0.05;

function runsNote({ before, after }: Sides): string[] {
  const [n, m] = [before.length, after.length];
  if (n === 1 && m === 1) return [];
  if (n === 1 || m === 1) return ['one side has a single run: noise is judged by the number of events'];
  const chance = chanceApart(n, m);
  if (chance <= FALSE_ALARMS) return [];
  return [
    `with ${n} and ${m} runs, chance alone sets ${formatShare(chance, 1)} of all rows apart; four and four make it 2.9 %`,
  ];
}
