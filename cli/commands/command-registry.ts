import { attach } from './attach.ts';
import type { CommandDefinition } from './command.ts';
import { demo } from './demo.ts';
import { diff } from './diff.ts';
import { doctor } from './doctor.ts';
import { profilers } from './profilers.ts';
import { report } from './report.ts';
import { run } from './run.ts';
import { script } from './script.ts';
import { system } from './system.ts';

/** Every command, in the order of the help. */
export const COMMANDS: readonly CommandDefinition[] = [
  run,
  attach,
  system,
  report,
  diff,
  script,
  profilers,
  doctor,
  demo,
];
