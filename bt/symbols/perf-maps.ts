import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats, statSync } from 'node:fs';
import type { JitPlace } from '../../metrics/symbols.ts';
import { type PerfMap, parsePerfMap } from '../../parsers/perf-map.ts';
import { parseBootTime, parseStat, parseStatus } from '../../parsers/proc.ts';
import { tryRead } from '../driver/procfs.ts';
import { sourceOf } from './object-files.ts';

/** Bytes that are read of all files. */
const MOST = 64 * 2 ** 20;
/** Files that are kept open. */
const KEPT_OPEN = 256;
/** A file that grows is read anew after so long. */
const FRESH_MS = 1000;
/** How far the clock of /proc/PID/stat may be from that of files. */
const CLOCKS_APART_MS = 2000;

const TOO_MANY = `was not read: ${KEPT_OPEN} such files are open already`;

/** What runtimes that compile code while they run tell of it: `/tmp/perf-PID.map`. */
export interface PerfMaps {
  /** Opens that of a process, in its own root and by its own number: once it is gone neither can be found. */
  readonly see: (pid: number, generation: number) => void;
  /** The process runs another program now: what is in the file tells of the one before. */
  readonly execed: (pid: number, generation: number) => void;
  /** @param address within the process */
  readonly find: (pid: number, generation: number, address: bigint) => JitPlace | undefined;
  /** Whether a process has one, or had with a program before. */
  readonly has: (pid: number) => boolean;
  /** Why files of that name were not read, or not in whole. */
  readonly problems: () => readonly string[];
}

/** A file that is open, and what it said when it was read last. */
interface OpenMap {
  readonly path: string;
  readonly descriptor: number;
  map?: PerfMap;
  /** Bytes of the file, and those that were read. */
  size: number;
  kept: number;
  readAt: number;
}

/** One program of a process, from exec to exec. */
interface Program {
  readonly generation: number;
  /** The file that the program before it left there, which is not its own. */
  readonly left: Stats | undefined;
  map?: OpenMap;
  /** When there was none. */
  missedAt?: number;
}

export function newPerfMaps(): PerfMaps {
  const began = Date.now();
  const programs = new Map<number, Program[]>();
  const problems = new Map<string, string>();
  const opened = () => [...programs.values()].flat().flatMap(({ map }) => map ?? []);
  const programOf = (pid: number, generation: number, left?: Stats): Program | undefined => {
    const known = programs.get(pid) ?? [];
    const latest = known.at(-1);
    if (latest && latest.generation >= generation) return known.find((p) => p.generation === generation);
    const program = { generation, left };
    programs.set(pid, [...known, program]);
    return program;
  };
  const isLatest = (pid: number, program: Program) => programs.get(pid)?.at(-1) === program;
  const openAt = (program: Program, place: Place): void => {
    const found = openMap(place, program.left);
    if (found === undefined) return;
    if (typeof found === 'string') {
      problems.set(place.path, found);
    } else if (opened().length < KEPT_OPEN) {
      program.map = { path: place.path, descriptor: found, size: 0, kept: 0, readAt: -Infinity };
    } else {
      closeSync(found);
      problems.set(place.path, TOO_MANY);
    }
  };
  /** One that is not there may be written later, as long as the process lives. */
  const look = (pid: number, program: Program): void => {
    const { map, missedAt = -Infinity } = program;
    if (map || !isLatest(pid, program) || performance.now() - missedAt <= FRESH_MS) return;
    const own = ownPlace(pid);
    openAt(program, own ?? { path: pathOf(pid), owners: [0, invoker()], since: began });
    if (!program.map) program.missedAt = own ? performance.now() : Infinity;
  };
  const read = (map: OpenMap): void => {
    const kept = opened().reduce((sum, other) => sum + (other === map ? 0 : other.kept), 0);
    const problem = readMap(map, MOST - kept);
    if (problem) problems.set(map.path, problem);
  };
  const load = (pid: number, program: Program | undefined): PerfMap | undefined => {
    if (!program) return undefined;
    look(pid, program);
    const { map } = program;
    if (map && isLatest(pid, program) && performance.now() - map.readAt > FRESH_MS) read(map);
    return map?.map;
  };
  return {
    see: (pid, generation) => {
      const program = programOf(pid, generation);
      const place = !program || program.map || !isLatest(pid, program) ? undefined : ownPlace(pid);
      if (program && place) openAt(program, place);
    },
    execed: (pid, generation) => {
      const before = programs.get(pid)?.at(-1);
      if (!before) return; // it compiled nothing
      if (before.map) read(before.map);
      programOf(
        pid,
        generation,
        tryRead(() => statSync(ownPlace(pid)?.path ?? pathOf(pid))),
      );
    },
    has: (pid) => {
      const known = programs.get(pid) ?? [programOf(pid, 1)];
      return known.some((program) => load(pid, program) !== undefined);
    },
    find: (pid, generation, address) => {
      const found = load(pid, programOf(pid, generation))?.find(Number(address));
      return found && { symbol: found.name, module: pathOf(pid), offset: Number(address) - found.start };
    },
    problems: () => [...problems].map(([path, problem]) => `${path} ${problem}`),
  };
}

function pathOf(pid: number): string {
  return `/tmp/perf-${pid}.map`;
}

/** Where a map may be, and by whom and since when it must have been written to be that of the process. */
interface Place {
  readonly path: string;
  readonly owners: readonly number[];
  /** ms since 1970 */
  readonly since: number;
}

/** Undefined for a process that is gone. */
function ownPlace(pid: number): Place | undefined {
  const text = (name: string) => tryRead(() => readFileSync(`/proc/${name}`, 'utf8')) ?? '';
  const { uid, innerPid } = parseStatus(text(`${pid}/status`));
  const stat = parseStat(text(`${pid}/stat`));
  const boot = parseBootTime(text('stat'));
  if (uid === undefined || innerPid === undefined || !stat || boot === undefined) return undefined;
  const path = `/proc/${pid}/root${pathOf(innerPid)}`;
  return { path, owners: [0, uid], since: 1000 * (boot + stat.startSeconds) };
}

/** The user who ran sudo, or who runs us. */
function invoker(): number {
  return Number(process.env.SUDO_UID ?? process.getuid?.());
}

/**
 * Others must not name a process's functions: a link, or another user's file, is not followed, as by perf.
 *
 * @param left a file that is not the process's own
 * @returns the descriptor, or why not; undefined when there is none, or only that of an earlier process or program
 */
function openMap({ path, owners, since }: Place, left: Stats | undefined): number | string | undefined {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  let descriptor: number;
  try {
    descriptor = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ELOOP'
      ? 'was not read: it is a symbolic link'
      : undefined;
  }
  const stat = fstatSync(descriptor);
  const old = stat.mtimeMs < since - CLOCKS_APART_MS || isUnchanged(stat, left);
  if (stat.isFile() && owners.includes(stat.uid) && !old) return descriptor;
  closeSync(descriptor);
  if (!stat.isFile()) return 'was not read: it is no file';
  if (!owners.includes(stat.uid)) return `was not read: it belongs to user ${stat.uid}`;
  return undefined;
}

function isUnchanged(stat: Stats, before: Stats | undefined): boolean {
  return stat.ino === before?.ino && stat.size === before.size && stat.mtimeMs === before.mtimeMs;
}

/** @returns what is missing */
function readMap(opened: OpenMap, most: number): string | undefined {
  opened.readAt = performance.now();
  const source = sourceOf(opened.descriptor);
  if (!source || (opened.map && source.size === opened.size)) return undefined;
  const length = Math.min(source.size, most);
  const map = parsePerfMap(tryRead(() => source.read(0, length)) ?? Buffer.alloc(0));
  Object.assign(opened, { map, size: source.size, kept: length });
  if (source.size > most) return `was read up to ${most} of its ${source.size} bytes`;
  return map.skipped > 0 ? `has ${map.skipped} lines that could not be read` : undefined;
}
