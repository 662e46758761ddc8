import type { CapturedTick } from '../../../metrics/capture.ts';
import type { Facts } from '../../../metrics/facts.ts';
import { capturedProfile, readCapture } from '../../capture-file.ts';
import type { SampleWriter } from '../../formats/format.ts';
import { type Sink, stdout } from '../../output.ts';
import { formatOf, resultLook } from '../../render.ts';
import type { ResultOptions } from '../../result-options.ts';
import { openResult, refuseInput } from '../../result-output.ts';
import { newSampler } from '../../sampler.ts';

/**
 * `btprof report`: the result of a run that was captured, here or on another machine.
 *
 * @returns the exit status
 */
export async function reportCommand(path: string, options: ResultOptions): Promise<number> {
  const { output, idleMatch } = options;
  if (output !== undefined) refuseInput(output, [path]);
  const format = formatOf(options);
  const sink = output === undefined ? stdout : openResult(output, { grows: format.samples !== undefined });
  const samples = sampleOutput(await format.samples?.(), sink, idleMatch);
  const capture = await readCapture(path, samples?.onTick);
  samples?.begin(capture.facts);
  const look = await resultLook(options, output === undefined ? 1 : undefined);
  const profile = capturedProfile(capture, idleMatch);
  sink.write(await format.render({ profile, measurements: capture.measurements }, options, look));
  sink.close();
  return 0;
}

/** Writes each sample as soon as it is read, after the text that comes before the first one. */
function sampleOutput(writer: SampleWriter | undefined, sink: Sink, idleMatch: ResultOptions['idleMatch']) {
  if (!writer) return undefined;
  const readNext = newSampler();
  let begun = false;
  const begin = (facts: Facts) => {
    if (!begun) sink.write(writer.begin(facts));
    begun = true;
  };
  const onTick = (tick: CapturedTick) => {
    begin(tick.facts);
    const { assemble } = readNext({ ...tick, idle: idleMatch ?? tick.idle });
    sink.write(writer.sample(assemble(tick.symbols)));
  };
  return { begin, onTick };
}
