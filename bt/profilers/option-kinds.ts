import { z } from 'zod';
import { parseTimeNs } from '../../metrics/units.ts';
import type { ProfilerOption } from './profiler.ts';

/** An option that is given or not: `-p NAME:option`. */
export function flag(help: string, alias?: string): ProfilerOption<true> {
  return { schema: z.literal(true, { error: 'takes no value' }), help, ...(alias ? { alias } : {}) };
}

const NEEDS_TIME = 'needs a time such as 10s, 500ms or 2m';
const time = z.string({ error: NEEDS_TIME }).transform((text, context) => {
  const ns = parseTimeNs(text);
  if (ns !== undefined) return ns;
  context.addIssue({ code: 'custom', message: NEEDS_TIME });
  return z.NEVER;
});

/** An option with a time, which is read as ns: `-p NAME:option=TIME`. */
export function timeNs(help: string, alias?: string): ProfilerOption<number> {
  return { schema: time, value: 'TIME', help, ...(alias ? { alias } : {}) };
}
