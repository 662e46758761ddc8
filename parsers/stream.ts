import { z } from 'zod';
import { decodeBytes } from './byte-string.ts';
import { type MapEntry, parseJson, readMapLine } from './entries.ts';
import { readInteger } from './integer.ts';

/** What one line of `bpftrace -f json` says. */
export type StreamLine =
  | { readonly kind: 'map'; readonly name: string; readonly entries: readonly MapEntry[] }
  | { readonly kind: 'event'; readonly event: StreamEvent }
  /** Events that the kernel dropped because its buffer was full. */
  | { readonly kind: 'lost'; readonly count: number }
  /** Something that failed in the kernel while the program ran, in bpftrace's words. */
  | { readonly kind: 'fault'; readonly message: string }
  /** A line without data: blank, or a message of bpftrace, which 0.24 to 0.27 print among the data. */
  | { readonly kind: 'ignored'; readonly remark?: string }
  /** A line that cannot be read; it is counted, never fatal. */
  | { readonly kind: 'dropped'; readonly reason: string };

/** Past 104 days of uptime a clock exceeds 2^53. */
const ns = z.preprocess(readInteger, z.number());
const id = z.int().nonnegative();
/** Addresses of user code, and what else has no unit: below 2^53. */
const word = z.preprocess(readInteger, z.number());
const comm = z.string().transform(decodeBytes);

const eventTuple = z.union([
  z.tuple([z.literal('ready'), ns]).transform(([type, at]) => ({ type, at })),
  z.tuple([z.literal('start'), ns]).transform(([type, at]) => ({ type, at })),
  z.tuple([z.literal('tick'), ns]).transform(([type, at]) => ({ type, at })),
  z.tuple([z.literal('tock'), ns]).transform(([type, at]) => ({ type, at })),
  z.tuple([z.literal('entry'), ns, id]).transform(([type, at, pid]) => ({ type, at, pid })),
  z.tuple([z.literal('stop'), ns]).transform(([type, at]) => ({ type, at })),
  z.tuple([z.literal('end'), ns]).transform(([type, at]) => ({ type, at })),
  z
    .tuple([z.literal('exec'), ns, id, id, comm])
    .transform(([type, at, pid, generation, comm]) => ({ type, at, pid, generation, comm })),
  z
    .tuple([z.literal('renamed'), ns, id, id, ns])
    .rest(ns)
    .transform(([type, at, pid, oldTid, ranNs, onCpuNs, runDelayNs]) => ({
      ...{ type, at, pid, oldTid, ranNs },
      cpu: cpuTime(onCpuNs, runDelayNs),
    })),
  z
    .tuple([z.literal('fork'), ns, id, id, id])
    .transform(([type, at, parent, pid, generation]) => ({ type, at, parent, pid, generation })),
  z
    .tuple([z.literal('exit'), ns, id, id, ns, comm])
    .rest(ns)
    .transform(([type, at, pid, tid, start, comm, onCpuNs, runDelayNs, ranNs]) => ({
      ...{ type, at, pid, tid, start, comm, ranNs },
      cpu: cpuTime(onCpuNs, runDelayNs),
    })),
  z.tuple([z.literal('thread'), ns, id, id]).transform(([type, at, pid, tid]) => ({ type, at, pid, tid })),
  z
    .tuple([z.literal('began'), ns, id, ns, ns, ns, ns])
    .transform(([type, at, pid, seen, before, arrived, runDelayNs]) => ({
      ...{ type, at, pid },
      cpu: { onCpuNs: (seen || before) + (arrived > 0 ? at - arrived : 0), runDelayNs },
    })),
  z
    .tuple([z.literal('image'), ns, id, id, word, word, word])
    .transform(([type, at, pid, generation, startCode, device, inode]) => ({
      type,
      at,
      pid,
      generation,
      startCode,
      device,
      inode,
    })),
  z
    .tuple([z.literal('auxv'), id, id])
    .rest(word)
    .transform(([type, pid, generation, ...words]) => ({ type, pid, generation, words })),
  z
    .tuple([z.literal('mapping'), ns, id, id, word, word, word, word, word])
    .transform(([type, at, pid, generation, start, length, fileOffset, device, inode]) => ({
      type,
      at,
      pid,
      generation,
      start,
      length,
      fileOffset,
      device,
      inode,
    })),
  z
    .tuple([z.literal('path'), word, word, id, comm])
    .transform(([type, device, inode, level, name]) => ({ type, device, inode, level, name })),
]);

/** Both are unknown without BTF. */
function cpuTime(onCpuNs: number | undefined, runDelayNs: number | undefined) {
  return onCpuNs === undefined || runDelayNs === undefined ? undefined : { onCpuNs, runDelayNs };
}

/** Indexed by type: five times as fast as trying each member of a union. */
const EVENTS = new Map<unknown, (typeof eventTuple.options)[number]>(
  eventTuple.options.map((option) => [option.in.def.items[0].value, option]),
);

/**
 * What the program printed by itself. Times are ns of the kernel's clock (CLOCK_BOOTTIME); `start` of an exit is 0 without BTF;
 * `oldTid` is the number of a thread that called exec, and has that of the process from then on.
 */
export type StreamEvent = z.infer<typeof eventTuple>;

const envelope = z.object({ type: z.string() }).loose();
const lostEvents = z.object({ data: z.object({ events: z.preprocess(readInteger, z.number()) }) });
/** From 0.24 on. */
const LOST_NEWER = /^\{"type": ?"lost_events", ?"count": ?([0-9a-f]+),/;
/** Both are failures at run time; their texts differ between versions. */
const FAULTS = ['helper_error', 'runtime_error', 'errorf'];
const fault = z.object({
  msg: z.string().optional(),
  helper: z.string().optional(),
  retcode: z.number().optional(),
});

/**
 * Reads one line of bpftrace's JSON output.
 *
 * @param line without its newline; may be anything
 * @param mangled whether a name that is not ASCII came before: from then on, 0.24 and later print the number of lost
 * events in hexadecimal
 */
export function readLine(line: string, mangled = false): StreamLine {
  const type = /^\{"type": ?"(\w+)"/.exec(line)?.[1];
  if (type === 'map' || type === 'stats' || type === 'hist') return readMap(line);
  if (type === undefined && !line.startsWith('{') && !line.includes('{"type"')) return ignored(line);
  const lost = mangled ? LOST_NEWER.exec(line)?.[1] : undefined;
  if (lost !== undefined) return { kind: 'lost', count: Number.parseInt(lost, 16) };
  const parsed = envelope.safeParse(parseJson(line));
  if (!parsed.success) return dropped('not a JSON object with a type', line);
  if (FAULTS.includes(parsed.data.type)) return readFault(parsed.data, line);
  switch (parsed.data.type) {
    case 'value':
      return readEvent(parsed.data.data, line);
    case 'lost_events':
      return readLost(parsed.data, line);
    case 'attached_probes':
      return { kind: 'ignored' };
    default:
      return dropped(`unknown type ${JSON.stringify(parsed.data.type)}`, line);
  }
}

/** Tells whether a line has a byte that bpftrace escapes, after which 0.24 and later print hexadecimal numbers. */
export function isMangled(line: string): boolean {
  return line.startsWith('{"type": "value"') && /\\u(?:ffffff|00)/.test(line);
}

/** Text with no data in it. */
function ignored(line: string): StreamLine {
  const remark = line.trim();
  return remark === '' ? { kind: 'ignored' } : { kind: 'ignored', remark };
}

function readMap(line: string): StreamLine {
  if (/^[^:]+: ?"\w+", ?"data": ?\{"@\w*": ?-?\w+\}\}\s*$/.test(line)) return { kind: 'ignored' }; // no keys: no result
  const map = readMapLine(line);
  return map ? { kind: 'map', ...map } : dropped('a map that cannot be read', line);
}

function readEvent(data: unknown, line: string): StreamLine {
  const event = EVENTS.get(Array.isArray(data) ? data[0] : undefined)?.safeParse(data);
  return event?.success ? { kind: 'event', event: event.data } : dropped('an unknown event', line);
}

function readLost(data: unknown, line: string): StreamLine {
  const lost = lostEvents.safeParse(data);
  return lost.success
    ? { kind: 'lost', count: lost.data.data.events }
    : dropped('lost_events without a number', line);
}

function readFault(data: unknown, line: string): StreamLine {
  const read = fault.safeParse(data);
  if (!read.success) return dropped('an error of an unknown shape', line);
  const { msg, helper = 'a helper', retcode } = read.data;
  return { kind: 'fault', message: msg ?? `${helper} failed with ${retcode ?? 'no number'}` };
}

function dropped(reason: string, line: string): StreamLine {
  return { kind: 'dropped', reason: `${reason}: ${JSON.stringify(line.slice(0, 120))}` };
}
