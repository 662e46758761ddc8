import type { Frame, Offcpu } from './schema.ts';
import { formatCount, formatNs, formatShare, plural } from './units.ts';
import { waitSite } from './wait-site.ts';

/** Off-CPU time by the kernel function waited in. */
interface SiteRow {
  readonly site: string;
  readonly timeNs: number;
  readonly count: number;
}

/** Where threads waited, by kernel function, longest first; waits without a kernel stack are left out. */
export function hottestSites(offcpu: Pick<Offcpu, 'stacks' | 'frames'>): SiteRow[] {
  const sites = new Map<string, { timeNs: number; count: number }>();
  for (const stack of offcpu.stacks) {
    if (stack.kernel.length === 0) continue;
    const site = siteOf(stack, offcpu.frames);
    const row = sites.get(site) ?? { timeNs: 0, count: 0 };
    row.timeNs += stack.time_ns;
    row.count += stack.count;
    sites.set(site, row);
  }
  return [...sites].map(([site, row]) => ({ site, ...row })).sort((a, b) => b.timeNs - a.timeNs);
}

/** The kernel function of one wait; a thread that could have run on was preempted. */
export function siteOf(
  stack: { kernel: readonly number[]; state: string },
  frames: readonly Frame[],
): string {
  if (stack.state === 'R') return 'ready, waiting for a CPU';
  return waitSite(stack.kernel.map((i) => frames[i]?.symbol ?? null)) ?? 'unknown';
}

/** A place has to hold this share of the time to be worth a sentence. */
const NOTABLE = 0.3;

/** At most three sentences, each on a figure of the metrics. */
export function bottlenecks(offcpu: Offcpu): string[] {
  return [stuckSentence(offcpu), siteSentence(offcpu), threadSentence(offcpu)].filter((s) => s !== undefined);
}

function stuckSentence({ still_blocked, frames }: Offcpu): string | undefined {
  const [longest] = still_blocked;
  if (!longest) return undefined;
  const many = still_blocked.length > 1;
  const who = many
    ? `${formatCount(still_blocked.length)} threads were`
    : `Thread ${longest.pid}:${longest.tid} was`;
  const since = longest.since_start ? ' since before the start,' : '';
  const site = longest.kernel.length ? ` in ${siteOf(longest, frames)}` : '';
  const longestOf = many ? 'the longest' : '';
  return `${who} still off the CPU at the end,${since} ${longestOf} for ${formatNs(longest.blocked_ns)}${site}.`.replace(
    / {2,}/g,
    ' ',
  );
}

function siteSentence(offcpu: Offcpu): string | undefined {
  const [site] = hottestSites(offcpu);
  if (!site || site.timeNs < NOTABLE * offcpu.total_time_ns) return undefined;
  const share = formatShare(site.timeNs, offcpu.total_time_ns);
  return `${share} of all off-CPU time was in ${site.site} (${formatNs(site.timeNs)} in ${plural(site.count, 'wait')}).`;
}

function threadSentence({ thread_stats }: Offcpu): string | undefined {
  const rows = Object.entries(thread_stats).filter(([, t]) => t.lifetime_ns);
  const [top] = rows.sort(([, a], [, b]) => b.total_time_ns - a.total_time_ns);
  if (!top) return undefined;
  const [key, t] = top;
  const name = t.comm === null ? '' : ` (${t.comm})`;
  const share = formatShare(t.total_time_ns, t.lifetime_ns as number);
  return `Thread ${key}${name} was off the CPU for ${share} of the ${formatNs(t.lifetime_ns as number)} it was watched.`;
}
