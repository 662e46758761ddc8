import type { Profile } from '../../../metrics/schema.ts';
import { stackParts, stacksOf } from '../../../metrics/timed-stacks.ts';
import { formatNs, plural } from '../../../metrics/units.ts';
import type { Result } from '../format.ts';
import { flamegraphView } from './html.ts';
import { coloursOf, eventWordsOf } from './kind-looks.ts';

/** The flame graph of a profile: where its threads waited and, with samples, all of their time. */
export function flamegraphPage({ profile, measurements }: Result): string {
  const { metadata } = profile;
  const command =
    metadata.cmd.join(' ') || (metadata.pids.join(', ') && `process ${metadata.pids.join(', ')}`);
  const parts = stackParts(profile, measurements);
  const sampled = parts.find(({ stacks }) => stacks?.samplesCpu);
  const title = (sampled ?? parts[0])?.stacks?.title ?? 'Time';
  return flamegraphView(stacksOf(profile, measurements), {
    title: `${title} of ${command || 'the whole machine'}`,
    subtitle: `${formatNs(metadata.wall_time_ns)}, ${plural(metadata.processes, 'process', 'processes')}, ${plural(metadata.threads, 'thread')}`,
    notes: notesOf(profile, sampled !== undefined),
    ...{ colours: coloursOf(measurements), events: eventWordsOf(measurements) },
  });
}

/** What is not in the picture, or not as it seems. */
function notesOf({ account, quality, metadata }: Profile, isSampled: boolean): string[] {
  const { threads_unknown = 0, unaccounted_ns = 0 } = account ?? {};
  return [
    ...(metadata.incomplete
      ? ['The collection was cut short: the figures are those of its last print.']
      : []),
    ...(isSampled && unaccounted_ns < 0
      ? [`Waits and time on the CPU overlap by ${formatNs(-unaccounted_ns)} in all.`]
      : []),
    ...(isSampled && threads_unknown > 0
      ? [`Of ${plural(threads_unknown, 'thread')} the time on the CPU is not known.`]
      : []),
    ...(quality.stacks_incomplete > 0
      ? [`Callers are missing in ${plural(quality.stacks_incomplete, 'stack')}.`]
      : []),
    ...quality.warnings,
  ];
}
