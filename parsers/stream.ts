import { z } from 'zod';
import { type Entry, readMapLine } from './entries.ts';
import { mendBytes } from './text.ts';

/** What one line of `bpftrace -f json` says. */
export type StreamLine =
  | { readonly kind: 'map'; readonly name: string; readonly entries: readonly Entry[] }
  | { readonly kind: 'event'; readonly event: StreamEvent }
  | { readonly kind: 'lost'; readonly count: number }
  /** A line that carries nothing for us: blank, or bpftrace's own remarks. */
  | { readonly kind: 'ignored' }
  /** A line that cannot be read; it is counted, never fatal. */
  | { readonly kind: 'dropped'; readonly reason: string };

/** Past 104 days of uptime a clock exceeds 2^53, and what is read is off by a few ns; bpftrace 0.24 quotes it then. */
const ns = z.union([z.number().nonnegative(), z.string().regex(/^\d+$/).transform(Number)]);
const id = z.int().nonnegative();
const comm = z.string().transform(mendBytes);

const eventTuple = z.union([
  z.tuple([z.literal('ready'), ns]).transform(([type, at]) => ({ type, at })),
  z.tuple([z.literal('start'), ns]).transform(([type, at]) => ({ type, at })),
  z.tuple([z.literal('tick'), ns]).transform(([type, at]) => ({ type, at })),
  z.tuple([z.literal('tock'), ns]).transform(([type, at]) => ({ type, at })),
  z.tuple([z.literal('stop'), ns]).transform(([type, at]) => ({ type, at })),
  z.tuple([z.literal('end'), ns]).transform(([type, at]) => ({ type, at })),
  z
    .tuple([z.literal('exec'), ns, id, id, comm])
    .transform(([type, at, pid, generation, comm]) => ({ type, at, pid, generation, comm })),
  z
    .tuple([z.literal('fork'), ns, id, id, id])
    .transform(([type, at, parent, pid, generation]) => ({ type, at, parent, pid, generation })),
  z
    .tuple([z.literal('exit'), ns, id, id, ns, comm])
    .transform(([type, at, pid, tid, start, comm]) => ({ type, at, pid, tid, start, comm })),
]);

/** What the program printed by itself. Times are ns of the kernel's clock (CLOCK_BOOTTIME); `start` of an exit is 0 without BTF. */
export type StreamEvent = z.infer<typeof eventTuple>;

const envelope = z.object({ type: z.string() }).loose();
const lostEvents = z.object({ data: z.object({ events: z.int().nonnegative() }) });

/**
 * Reads one line of bpftrace's JSON output.
 *
 * @param line without its newline; may be anything
 */
export function readLine(line: string): StreamLine {
  if (line.trim() === '') return { kind: 'ignored' };
  const parsed = envelope.safeParse(parseJson(line));
  if (!parsed.success) return dropped('not a JSON object with a type', line);
  switch (parsed.data.type) {
    case 'map':
    case 'stats':
    case 'hist':
      return readMap(line);
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

function readMap(line: string): StreamLine {
  const map = readMapLine(line);
  if (!map) return dropped('a map of an unknown shape', line);
  return 'entries' in map ? { kind: 'map', ...map } : dropped('a map without keys', line);
}

function readEvent(data: unknown, line: string): StreamLine {
  const event = eventTuple.safeParse(data);
  return event.success ? { kind: 'event', event: event.data } : dropped('an unknown event', line);
}

function readLost(data: unknown, line: string): StreamLine {
  const lost = lostEvents.safeParse(data);
  return lost.success
    ? { kind: 'lost', count: lost.data.data.events }
    : dropped('lost_events without a number', line);
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function dropped(reason: string, line: string): StreamLine {
  return { kind: 'dropped', reason: `${reason}: ${JSON.stringify(line.slice(0, 120))}` };
}
