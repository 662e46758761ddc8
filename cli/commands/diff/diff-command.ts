import { PROFILERS } from '../../../bt/profilers/profiler-registry.ts';
import { UsageError } from '../../../metrics/errors.ts';
import { type Gate, judgeGate, parseGate } from '../../../metrics/gates.ts';
import type { Side } from '../../../metrics/sides.ts';
import { chosenFormat, diffFormats } from '../../format-options.ts';
import type { GatedDiff, Rendered } from '../../formats/format.ts';
import { FORMATS } from '../../formats/format-registry.ts';
import { gatesView } from '../../formats/summary/diff-page.ts';
import { stderr, stdout } from '../../output.ts';
import { readResult } from '../../result-file.ts';
import { openResult, refuseInput } from '../../result-output.ts';
import { lookOf } from '../../terminal.ts';
import type { DiffOptions } from './diff-options.ts';

/**
 * Runs `btprof diff`.
 *
 * @param files those of BEFORE first
 * @returns the exit status: 1 when a gate was crossed
 */
export async function diffCommand(files: readonly string[], options: DiffOptions): Promise<number> {
  const count = countBefore(files, options.runs);
  const gates = (options.failIf ?? []).map((gate) => parseGate(gate, PROFILERS));
  if (options.output !== undefined) refuseInput(options.output, files);
  const sink = options.output === undefined ? stdout : openResult(options.output);
  const runs: Side[] = [];
  for (const file of files) runs.push({ file, profile: await readResult(file) });
  const sides = { before: runs.slice(0, count), after: runs.slice(count) };
  const results = gates.map((gate) => judgeGate(gate, sides, PROFILERS));
  sink.write(await render({ sides, gates: results, measurements: PROFILERS }, options));
  sink.close();
  stderr.write(await gateLines(gates, results, files.length > 2, options));
  return results.some(({ crossed }) => crossed) ? 1 : 0;
}

/** Returns how many of the files are BEFORE. */
function countBefore(files: readonly string[], runs: number | undefined): number {
  if (files.filter((file) => file === '-').length > 1) {
    throw new UsageError('standard input (-) can be read only once.', undefined, 2);
  }
  if (runs === undefined && files.length !== 2) {
    const hint =
      'For several runs of each side, type: btprof diff --runs 3 BEFORE BEFORE BEFORE AFTER AFTER AFTER';
    throw new UsageError(`diff needs two files, not ${files.length}.`, hint, 2);
  }
  if (runs !== undefined && files.length <= runs) {
    const hint = `With --runs ${runs} the first ${runs} files are BEFORE. Add the files of AFTER.`;
    throw new UsageError(`none of the ${files.length} files is left for AFTER.`, hint, 2);
  }
  return runs ?? 1;
}

async function render(diff: GatedDiff, options: DiffOptions): Promise<Rendered> {
  const { output, ascii, verbose } = options;
  const look = await lookOf(output === undefined ? 1 : undefined, ascii);
  const format = chosenFormat(diffFormats(FORMATS), options);
  return format.renderDiff?.(diff, { ...look, verbose: verbose ?? false }) ?? '';
}

/** Gates go to stderr, so that stdout has only the result in every format. */
async function gateLines(
  gates: readonly Gate[],
  results: GatedDiff['gates'],
  several: boolean,
  { ascii }: DiffOptions,
): Promise<string> {
  const metrics = gates.map(({ metric }) => metric);
  return gatesView([...results], metrics, several, PROFILERS, await lookOf(2, ascii));
}
