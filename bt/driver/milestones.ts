import type { StreamEvent } from '../../parsers/stream.ts';

type EventType = StreamEvent['type'];

/** The kinds of events that one bpftrace has sent so far, and a way to wait for one. */
export interface Milestones {
  readonly reach: (type: EventType) => void;
  readonly has: (type: EventType) => boolean;
  /** Resolves when an event of that kind has come. */
  readonly reached: (type: EventType) => Promise<void>;
}

export function newMilestones(): Milestones {
  const seen = new Set<EventType>();
  const waiting: { readonly type: EventType; readonly resolve: () => void }[] = [];
  return {
    reach: (type) => {
      if (seen.has(type)) return;
      seen.add(type);
      for (const waiter of waiting) if (waiter.type === type) waiter.resolve();
    },
    has: (type) => seen.has(type),
    reached: (type) =>
      new Promise((resolve) => {
        if (seen.has(type)) resolve();
        else waiting.push({ type, resolve });
      }),
  };
}
