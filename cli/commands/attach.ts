import { Argument, InvalidArgumentError } from 'commander';
import { readVersion } from '../../bt/driver/bpftrace-version.ts';
import { type ProfileOptions, profileNotes, profileOptions } from '../options.ts';
import type { CommandDefinition } from './command.ts';

export const attach: CommandDefinition<readonly [pids: readonly number[]], ProfileOptions> = {
  name: 'attach',
  usage: '[options] PID...',
  summary: 'profile running processes and the children they start',
  description: 'Profile running processes and the children they start, until they end, Ctrl-C or --duration.',
  arguments: [new Argument('<pid...>', 'process IDs').argParser(parsePid)],
  options: profileOptions,
  notes: profileNotes,
  action: async ([pids], options) => {
    void readVersion(options.bpftrace);
    const { attachCommand } = await import('./attach/attach-command.ts');
    return attachCommand(pids, options);
  },
};

/** Adds a process ID of the command line to the earlier ones. */
export function parsePid(text: string, earlier: number[] = []): number[] {
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new InvalidArgumentError('Give process IDs, such as 1234.');
  return [...earlier, Number(text)];
}
