import { notesOf } from '../../../metrics/diff-notes.ts';
import type { Measurement } from '../../../metrics/measurement.ts';
import { figureOf } from '../../../metrics/noise.ts';
import { diffStacks } from '../../../metrics/profile-diff.ts';
import type { Sides } from '../../../metrics/sides.ts';
import { formatSignedNs, plural } from '../../../metrics/units.ts';
import { flamegraphView } from './html.ts';
import { coloursOf, eventWordsOf } from './kind-looks.ts';

/** The flame graph of AFTER, coloured by what has changed since BEFORE. */
export function diffFlamegraph(sides: Sides, measurements: readonly Measurement[]): string {
  const [old, now] = [sides.before, sides.after].map((runs) => {
    return figureOf(runs.map(({ profile }) => ({ value: profile.metadata.wall_time_ns }))).median;
  }) as [number, number];
  const runs = `${plural(sides.before.length, 'run')} before, ${sides.after.length} after`;
  return flamegraphView(diffStacks(sides, measurements), {
    title: `Change of ${commandOf(sides)}`,
    subtitle: `wall time ${formatSignedNs(old)} before, ${formatSignedNs(now)} after; ${runs}`,
    notes: notesOf(sides, measurements),
    ...{ colours: coloursOf(measurements), events: eventWordsOf(measurements) },
  });
}

function commandOf({ after }: Sides): string {
  const { cmd, pids } = (after[0] as Sides['after'][number]).profile.metadata;
  return cmd.join(' ') || (pids.length > 0 ? `process ${pids.join(', ')}` : 'the whole machine');
}
