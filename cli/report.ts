import { resolve } from 'node:path';
import { UsageError } from '../bt/errors.ts';
import type { Capture, CapturedTick } from '../metrics/capture.ts';
import { assembleProfile } from '../metrics/profile.ts';
import { newSampler } from '../metrics/sample.ts';
import { keptSymbols } from '../metrics/symbols.ts';
import { readCapture } from './capture-file.ts';
import { jsonLine, metadataLine } from './formats/json.ts';
import { openOutput, stdout } from './output.ts';
import { rendererOf, summaryLook } from './render.ts';
import { formatOf, type ResultOptions } from './result-options.ts';

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
  const render = rendererOf(options);
  const sink = output === undefined ? stdout : openOutput(output);
  const isLines = formatOf(options) === 'jsonl';
  const samples: string[] = [];
  let sampler: ReturnType<typeof newSampler> | undefined;
  const onTick = (tick: CapturedTick) => {
    sampler ??= newSampler((sample) => samples.push(jsonLine(sample)), idleMatch ?? tick.idle);
    sampler({ ...tick, symbols: keptSymbols(tick.symbols) });
  };
  const capture = await readCapture(path, isLines ? onTick : undefined);
  if (isLines) sink.write([jsonLine(metadataLine(capture.facts)), ...samples].join(''));
  const look = summaryLook(options, output === undefined ? 1 : undefined);
  sink.write(await render(profileOf(capture, options), look));
  sink.close();
  return 0;
}

/** The profile of a capture: that of the run, unless the options judge waits anew. */
export function profileOf(capture: Capture, { idleMatch }: Pick<ResultOptions, 'idleMatch'> = {}) {
  const { recording, facts, ending, symbols, idle } = capture;
  return assembleProfile(recording, facts, ending, keptSymbols(symbols), idleMatch ?? idle);
}
