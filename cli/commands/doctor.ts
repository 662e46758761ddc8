import { option } from '../format-options.ts';
import { bpftraceOption } from '../options.ts';
import type { CommandDefinition } from './command.ts';
import type { DoctorOptions } from './doctor/doctor-options.ts';

export const doctor: CommandDefinition<readonly [], DoctorOptions> = {
  name: 'doctor',
  summary: 'check this host and tell how to fix what is missing',
  description: 'Check what this host can do. For each failed check, print the command that fixes it.',
  options: () => [option('--json', 'print the checks as JSON'), bpftraceOption()],
  action: async (_, options) => {
    const { doctorCommand } = await import('./doctor/doctor-command.ts');
    return doctorCommand(options);
  },
};
