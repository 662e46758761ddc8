import { composeProgram } from '../../../bt/compose.ts';
import { dialectFor } from '../../../bt/dialect.ts';
import { readDialect, readMachine } from '../../../bt/driver/host.ts';
import type { PlanOptions } from '../../options.ts';
import { stderr, stdout } from '../../output.ts';
import { planOf } from '../../plan.ts';

/** `btprof script`: prints the program for the installed bpftrace, or for the oldest supported one if none is installed. */
export async function scriptCommand(names: readonly string[], options: PlanOptions): Promise<number> {
  const plan = planOf(options, names.length > 0 ? names.join(',') : undefined);
  const { info, btf } = readMachine();
  const dialect = await readDialect(options.bpftrace).catch((error: Error) => {
    stderr.write(`btprof: ${error.message} This is the program for bpftrace 0.16.\n`);
    return dialectFor('0.16.0');
  });
  const follow = { kind: 'argument', children: plan.children } as const;
  stdout.write(composeProgram(plan, { dialect, arch: info.arch, btf, follow }));
  return 0;
}
