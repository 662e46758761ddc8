/** The command of `command.ts`: as shipped, except for its host and for how it asks its bpftrace for the maps. */
import { tellWhenAsked } from './asked.ts';

process.geteuid = () => 0;
await tellWhenAsked(process.env.FAKE_ASKED ?? '/dev/null', () => import('../../cli/main.ts'));
