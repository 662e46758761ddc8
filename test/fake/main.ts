/** The command of `command.ts`: as it is shipped, but for its host and how its bpftrace is asked for the maps. */
import { tellWhenAsked } from './asked.ts';

process.geteuid = () => 0;
await tellWhenAsked(process.env.FAKE_ASKED ?? '/dev/null', () => import('../../cli/main.ts'));
