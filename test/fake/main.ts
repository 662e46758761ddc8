/** The command of `command.ts`: as shipped, except for its host and for how it asks its bpftrace for the maps. */
import { withRequestFile } from './request-file.ts';

process.geteuid = () => 0;
void withRequestFile(process.env.FAKE_REQUEST_FILE ?? '/dev/null', () => import('../../cli/main.ts'));
