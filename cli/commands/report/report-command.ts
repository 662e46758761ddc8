import { resolve } from 'node:path';
import { UsageError } from '../../../bt/errors.ts';
import type { CapturedTick } from '../../../metrics/capture.ts';
import { newSampler } from '../../../metrics/sample.ts';
import { keptSymbols } from '../../../metrics/symbols.ts';
import { capturedProfile, readCapture } from '../../capture-file.ts';
import { openOutput, stdout } from '../../output.ts';
import { formatOf, resultLook } from '../../render.ts';
import type { ResultOptions } from '../../result-options.ts';

/**
 * `btprof report`: the result of a run that was captured, here or on another machine.
 *
 * @returns the exit status
 */
export async function reportCommand(path: string, options: ResultOptions): Promise<number> {
  const { output, idleMatch } = options;
  if (output !== undefined && resolve(output) === resolve(path)) {
    throw new UsageError('--output names the capture itself.', undefined, 2);
  }
  const format = formatOf(options);
  const sink = output === undefined ? stdout : openOutput(output);
  const samples = await format.samples?.();
  const lines: string[] = [];
  let sampler: ReturnType<typeof newSampler> | undefined;
  const onTick = (tick: CapturedTick) => {
    sampler ??= newSampler((sample) => lines.push(samples?.sample(sample) ?? ''), idleMatch ?? tick.idle);
    sampler({ ...tick, symbols: keptSymbols(tick.symbols) });
  };
  const capture = await readCapture(path, samples ? onTick : undefined);
  if (samples) sink.write([samples.begin(capture.facts), ...lines].join(''));
  const look = resultLook(options, output === undefined ? 1 : undefined);
  sink.write(await format.render(capturedProfile(capture, idleMatch), options, look));
  sink.close();
  return 0;
}
