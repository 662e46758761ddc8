import { resolve } from 'node:path';
import type { CapturedTick } from '../../../metrics/capture.ts';
import { UsageError } from '../../../metrics/errors.ts';
import { capturedProfile, readCapture } from '../../capture-file.ts';
import { openOutput, stdout } from '../../output.ts';
import { formatOf, resultLook } from '../../render.ts';
import type { ResultOptions } from '../../result-options.ts';
import { newSampler } from '../../sampler.ts';

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
  const readNext = newSampler();
  const onTick = (tick: CapturedTick) => {
    const { assemble } = readNext({ ...tick, idle: idleMatch ?? tick.idle });
    lines.push(samples?.sample(assemble(tick.symbols)) ?? '');
  };
  const capture = await readCapture(path, samples ? onTick : undefined);
  if (samples) sink.write([samples.begin(capture.facts), ...lines].join(''));
  const look = await resultLook(options, output === undefined ? 1 : undefined);
  const profile = capturedProfile(capture, idleMatch);
  sink.write(await format.render({ profile, measurements: capture.measurements }, options, look));
  sink.close();
  return 0;
}
