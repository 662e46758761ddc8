import { PROFILERS } from '../../../bt/profilers/profiler-registry.ts';
import { stdout } from '../../output.ts';

/** `btprof profilers`; returns the exit status. */
export function profilersCommand(): number {
  const blocks = PROFILERS.map((p) =>
    [
      `${p.name}: ${p.summary}`,
      `  attaches to  ${[...p.tracepoints, ...(p.timer ? [p.timer] : [])].join(', ')}`,
      `  cost         ${p.cost}`,
      ...p.caveats.map((caveat) => `  note         ${caveat}`),
    ].join('\n'),
  );
  stdout.write(`${blocks.join('\n\n')}\n`);
  return 0;
}
