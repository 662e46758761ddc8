import { composeProgram } from '../bt/compose.ts';
import { dialectFor } from '../bt/dialect.ts';
import { askDialect, readHost } from '../bt/driver/host.ts';
import { PROFILERS } from '../bt/profilers/registry.ts';
import type { ProfileOptions } from './options.ts';
import { stderr, stdout } from './output.ts';
import { planOf } from './plan.ts';

/** `btprof script`: for the bpftrace at hand, or for the oldest one when there is none. */
export async function scriptCommand(names: readonly string[], options: ProfileOptions): Promise<number> {
  const plan = planOf(options, names.length > 0 ? names : undefined);
  const { info, btf } = readHost();
  const dialect = await askDialect(options.bpftrace).catch((error: Error) => {
    stderr.write(`btprof: ${error.message} This is the program for bpftrace 0.16.\n`);
    return dialectFor('0.16.0');
  });
  const follow = { kind: 'argument', children: plan.children } as const;
  stdout.write(composeProgram(plan, { dialect, arch: info.arch, btf, follow }));
  return 0;
}

/** `btprof profilers`. */
export function profilersCommand(): number {
  const blocks = PROFILERS.map((p) =>
    [
      `${p.name}: ${p.summary}`,
      `  attaches to  ${[...p.tracepoints, ...(p.timer ? [p.timer] : [])].join(', ')}`,
      `  costs        ${p.cost}`,
      ...p.caveats.map((caveat) => `  beware       ${caveat}`),
    ].join('\n'),
  );
  stdout.write(`${blocks.join('\n\n')}\n`);
  return 0;
}
