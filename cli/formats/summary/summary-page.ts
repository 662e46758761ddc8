import { type BlockOptions, LEVELS, rowLimit } from '../../../metrics/blocks.ts';
import type { Profile } from '../../../metrics/schema.ts';
import { formatNs, plural } from '../../../metrics/units.ts';
import { clip, coloursOf, printPage, wrap } from '../../page.ts';
import { printable } from '../../plain-text.ts';
import type { Result, ResultLook } from '../format.ts';
import { accountBlock, onCpuThreads } from './account-block.ts';
import { blockLines } from './block-lines.ts';
import { qualityBlock } from './quality-block.ts';

/** Maximum number of lines on one screen. */
const SCREEN = 40;

/** Prints one screen: what holds the program up, where its time went, and a block for each profiler. */
export function summaryView(result: Result, look: ResultLook): string {
  const { idle, verbose } = look;
  if (verbose) return pageOf(result, { idle, verbose, level: 0 }, look);
  let page = '';
  for (let level = 0; level < LEVELS; level++) {
    page = pageOf(result, { idle, verbose, level }, look);
    if (page.trimEnd().split('\n').length <= SCREEN) break;
  }
  return page;
}

function pageOf(result: Result, options: BlockOptions, look: ResultLook): string {
  const { profile, measurements } = result;
  const parts = measurements.flatMap((measurement) => {
    const part = profile.ebpf[measurement.name];
    return part === undefined ? [] : (measurement.blocks?.(part, options) ?? []);
  });
  const blocks = [
    headBlock(result, look),
    ...(profile.account
      ? [accountBlock(profile.account, look), blockLines(onCpuThreads(profile.account, options), look)]
      : []),
    ...parts.map((block) => blockLines(block, look)),
    qualityBlock(result, rowLimit(options, [3, 1, 1, 1, 0], Infinity), look),
  ];
  return printPage(
    blocks.filter((lines) => lines.length > 0),
    look,
  );
}

function headBlock({ profile, measurements }: Result, look: ResultLook): string[] {
  const { metadata, ebpf } = profile;
  const { bold } = coloursOf(look);
  const { exit } = metadata;
  const ended = exit && (exit.signal ? `killed by ${exit.signal}` : `exit status ${exit.code}`);
  const findings = measurements.flatMap(({ name, findings }) => {
    const part = ebpf[name];
    return part === undefined ? [] : (findings?.(part) ?? []);
  });
  return [
    bold(clip(`btprof: ${whatOf(metadata)}`, look.columns)),
    ...wrap(
      `${formatNs(metadata.wall_time_ns)}, ${plural(metadata.processes, 'process', 'processes')}, ` +
        `${plural(metadata.threads, 'thread')}${ended ? `, ${ended}` : ''}${metadata.incomplete ? ', INCOMPLETE' : ''}`,
      look.columns,
    ),
    ...findings.flatMap((sentence) => wrap(`- ${printable(sentence)}`, look.columns)),
  ];
}

function whatOf({ mode, cmd, pids }: Profile['metadata']): string {
  if (mode === 'system') return 'the whole machine';
  return mode === 'run' ? cmd.map(printable).join(' ') : `process ${pids.join(', ')}`;
}
