import { closeSync, constants, readFileSync, readlinkSync, type Stats, statSync } from 'node:fs';
import { sum } from '../../metrics/sums.ts';
import type { JitSymbol } from '../../metrics/symbols.ts';
import { type PerfMap, parsePerfMap } from '../../parsers/perf-map.ts';
import { parseBootTime, parseStat, parseStatus } from '../../parsers/proc.ts';
import { tryRead } from '../driver/procfs.ts';
import { inspect, sourceOf } from './plain-files.ts';

/** Maximum bytes that are read from all files together. */
const MOST_BYTES = 64 * 2 ** 20;
/** Maximum number of open files. */
const MOST_OPEN = 256;
/** Maximum number of processes; beyond it the oldest are discarded. */
const MOST_PROCESSES = 4096;
/** A file that grows is read again after this time. */
const FRESH_MS = 1000;
/** How far the clock of /proc/PID/stat may differ from that of files. */
const CLOCKS_APART_MS = 2000;

/** How many parents may have compiled what a process runs. */
const MOST_PARENTS = 16;

const TOO_MANY = `was not read: ${MOST_OPEN} such files are open already`;

/** `/tmp/perf-PID.map`, where a runtime lists the functions that it compiles while it runs. */
export interface PerfMaps {
  /**
   * Opens the map of a process, in its own root and with its PID in its own namespace. After its end, neither is known.
   */
  readonly see: (pid: number, generation: number) => void;
  /** Tells that the process now runs another program: an existing file belongs to the earlier one. */
  readonly execed: (pid: number, generation: number) => void;
  /** Tells that a process was forked: it runs what its parent has compiled. */
  readonly forked: (parent: number, pid: number, generation: number) => void;
  /** @param address within the process */
  readonly find: (pid: number, generation: number, address: bigint) => JitSymbol | undefined;
  /** Whether a process has a map, or had one with an earlier program. */
  readonly has: (pid: number) => boolean;
  /** Why maps were not read, or not completely. */
  readonly problems: () => readonly string[];
}

/** An open file, and its content at the last read. */
interface OpenMap {
  readonly path: string;
  readonly descriptor: number;
  map?: PerfMap;
  /** Bytes of the file, and those that were read. */
  size: number;
  bytesRead: number;
  readAt: number;
}

/** Names a program of a process. */
interface ProgramId {
  readonly pid: number;
  readonly generation: number;
}

/** One program of a process, from exec to exec. */
interface MappedProgram {
  readonly generation: number;
  /** The file of the previous program. */
  readonly left: Stats | undefined;
  map?: OpenMap;
  /** When the file was missing. */
  missedAt?: number;
}

export function newPerfMaps(): PerfMaps {
  const began = Date.now();
  const programs = new Map<number, MappedProgram[]>();
  /** The programs that processes were forked from, by `PID:GENERATION`. */
  const parents = new Map<string, ProgramId>();
  const problems = new Map<string, string>();
  const opened = () => [...programs.values()].flat().flatMap(({ map }) => map ?? []);
  const programOf = (pid: number, generation: number, left?: Stats): MappedProgram | undefined => {
    const known = programs.get(pid) ?? [];
    const latest = known.at(-1);
    if (latest && latest.generation >= generation) return known.find((p) => p.generation === generation);
    if (known.length === 0) forgetOldest();
    const program = { generation, left };
    // Programs that ended without a map are discarded, because a process may call exec any number of times.
    programs.set(pid, [...known.filter(({ map }) => map), program]);
    return program;
  };
  const forgetOldest = () => {
    const [oldest] = programs;
    if (programs.size < MOST_PROCESSES || !oldest) return;
    const [pid, known] = oldest;
    for (const { map } of known) if (map) closeSync(map.descriptor);
    programs.delete(pid);
  };
  const isLatest = (pid: number, program: MappedProgram) => programs.get(pid)?.at(-1) === program;
  const openAt = (program: MappedProgram, candidate: Candidate): void => {
    const found = openMap(candidate, program.left);
    if (found === undefined) return;
    if (typeof found === 'string') {
      problems.set(candidate.path, found);
    } else if (opened().length < MOST_OPEN) {
      program.map = { path: candidate.path, descriptor: found, size: 0, bytesRead: 0, readAt: -Infinity };
    } else {
      closeSync(found);
      problems.set(candidate.path, TOO_MANY);
    }
  };
  /** A map that is missing may be written later, as long as the process lives. */
  const look = (pid: number, program: MappedProgram): void => {
    const { map, missedAt = -Infinity } = program;
    if (map || !isLatest(pid, program) || performance.now() - missedAt <= FRESH_MS) return;
    const own = candidateOf(pid);
    openAt(program, own ?? { path: pathOf(pid), owners: [0, invoker()], since: began });
    if (!program.map) program.missedAt = own ? performance.now() : Infinity;
  };
  const read = (map: OpenMap): void => {
    const others = sum(opened().map((other) => (other === map ? 0 : other.bytesRead)));
    const problem = readMap(map, MOST_BYTES - others);
    if (problem) problems.set(map.path, problem);
  };
  const load = (pid: number, program: MappedProgram | undefined): PerfMap | undefined => {
    if (!program) return undefined;
    look(pid, program);
    const { map } = program;
    if (map && isLatest(pid, program) && performance.now() - map.readAt > FRESH_MS) read(map);
    return map?.map;
  };
  const see = (pid: number, generation: number): void => {
    const program = programOf(pid, generation);
    const candidate = !program || program.map || !isLatest(pid, program) ? undefined : candidateOf(pid);
    if (program && candidate) openAt(program, candidate);
  };
  const addParent = (pid: number, generation: number, parent: ProgramId): void => {
    const [oldest] = parents.keys();
    if (parents.size >= MOST_PROCESSES && oldest) parents.delete(oldest);
    parents.set(`${pid}:${generation}`, parent);
  };
  /** For a process whose fork was before the collection. */
  const seeParent = (pid: number, generation: number): void => {
    const parent = forkedFrom(pid);
    if (parent === undefined || parents.has(`${pid}:${generation}`)) return;
    const program = { pid: parent, generation: programs.get(parent)?.at(-1)?.generation ?? 1 };
    addParent(pid, generation, program);
    see(program.pid, program.generation);
  };
  const find = ({ pid, generation }: ProgramId, address: number): JitSymbol | undefined => {
    const found = load(pid, programOf(pid, generation))?.find(address);
    return found && { symbol: found.name, module: pathOf(pid), offset: address - found.start };
  };
  return {
    see: (pid, generation) => {
      see(pid, generation);
      seeParent(pid, generation);
    },
    forked: (parent, pid, generation) => addParent(pid, generation, { pid: parent, generation }),
    execed: (pid, generation) => {
      const before = programs.get(pid)?.at(-1);
      if (!before) return; // it has compiled nothing
      if (before.map) read(before.map);
      programOf(
        pid,
        generation,
        tryRead(() => statSync(candidateOf(pid)?.path ?? pathOf(pid))),
      );
    },
    has: (pid) => {
      const known = programs.get(pid) ?? [programOf(pid, 1)];
      return known.some((program) => load(pid, program) !== undefined);
    },
    find: (pid, generation, address) => {
      let program: ProgramId | undefined = { pid, generation };
      for (let i = 0; program && i < MOST_PARENTS; i++) {
        const found = find(program, Number(address));
        if (found) return found;
        program = parents.get(`${program.pid}:${program.generation}`);
      }
      return undefined;
    },
    problems: () => [...problems].map(([path, problem]) => `${path} ${problem}`),
  };
}

/** The parent of a process, if both run the same program: then the process was forked, and has called no exec. */
function forkedFrom(pid: number): number | undefined {
  const parent = parseStat(tryRead(() => readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? '')?.ppid;
  const program = (of: number) => tryRead(() => readlinkSync(`/proc/${of}/exe`));
  return parent && program(pid) !== undefined && program(pid) === program(parent) ? parent : undefined;
}

function pathOf(pid: number): string {
  return `/tmp/perf-${pid}.map`;
}

/** Where the map of a process may be, and the conditions under which it belongs to the process. */
interface Candidate {
  readonly path: string;
  /** User IDs that may own it. */
  readonly owners: readonly number[];
  /** The earliest time of its last change, ms since 1970. */
  readonly since: number;
}

/** Undefined for a process that is gone. */
function candidateOf(pid: number): Candidate | undefined {
  const text = (name: string) => tryRead(() => readFileSync(`/proc/${name}`, 'utf8')) ?? '';
  const { uid, innerPid } = parseStatus(text(`${pid}/status`));
  const stat = parseStat(text(`${pid}/stat`));
  const boot = parseBootTime(text('stat'));
  if (uid === undefined || innerPid === undefined || !stat || boot === undefined) return undefined;
  const path = `/proc/${pid}/root${pathOf(innerPid)}`;
  return { path, owners: [0, uid], since: 1000 * (boot + stat.startSeconds) };
}

/** The user who ran sudo, or who runs btprof. */
function invoker(): number {
  return Number(process.env.SUDO_UID ?? process.getuid?.());
}

/**
 * Opens a map. Other users must not name the functions of a process: as perf does, we skip links and files of others.
 *
 * @param left the file that an earlier program left behind
 * @returns the descriptor, or why the file is not read; undefined without a file, or with only that of an earlier
 *   process or program
 */
function openMap({ path, owners, since }: Candidate, left: Stats | undefined): number | string | undefined {
  return inspect(path, constants.O_NOFOLLOW, (stat, open) => {
    if (stat.isSymbolicLink()) return 'was not read: it is a symbolic link';
    if (!stat.isFile()) return 'was not read: it is not a regular file';
    if (!owners.includes(stat.uid)) return `was not read: it belongs to user ${stat.uid}`;
    const old = stat.mtimeMs < since - CLOCKS_APART_MS || isUnchanged(stat, left);
    return old ? undefined : open();
  });
}

function isUnchanged(stat: Stats, before: Stats | undefined): boolean {
  return stat.ino === before?.ino && stat.size === before.size && stat.mtimeMs === before.mtimeMs;
}

/** @returns what could not be read */
function readMap(opened: OpenMap, most: number): string | undefined {
  opened.readAt = performance.now();
  const source = sourceOf(opened.descriptor);
  if (opened.map && source.size === opened.size) return undefined;
  const length = Math.min(source.size, most);
  const map = parsePerfMap(tryRead(() => source.read(0, length)) ?? Buffer.alloc(0));
  Object.assign(opened, { map, size: source.size, bytesRead: length });
  if (source.size > most) return `was read up to ${most} of its ${source.size} bytes`;
  return map.skipped > 0 ? `has ${map.skipped} lines that could not be read` : undefined;
}
