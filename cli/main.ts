import './standard-streams.ts';
import { CommanderError } from 'commander';
import { inheritedDescriptors } from '../bt/driver/inherited.ts';
import { BtprofError } from '../metrics/errors.ts';
import { CATALOG } from './catalog.ts';
import { commandLine } from './command-line.ts';
import { COMMANDS } from './commands/command-registry.ts';
import { FORMATS } from './formats/format-registry.ts';
import { leaveHungUp, stderr } from './output.ts';
import { escapeControls } from './plain-text.ts';
import { VERSION } from './version.ts';

/** Read before anything is opened: afterwards ours and the inherited ones look alike. */
const DESCRIPTORS = inheritedDescriptors();

// Without a listener, Node opens a debugger port at this signal, through which any local user could run code as root.
process.on('SIGUSR1', () => undefined);

async function main(argv: readonly string[]): Promise<never> {
  let status = 0;
  process.exitCode = 125; // of a start that ends without a result
  const program = commandLine({
    version: VERSION,
    commands: COMMANDS,
    choices: { profilers: CATALOG, formats: FORMATS },
    start: { descriptors: DESCRIPTORS },
    exit: (code) => {
      status = code;
    },
  });
  try {
    await program.parseAsync(argv);
  } catch (error) {
    status = reportError(error, argv);
  }
  leaveHungUp();
  process.exit(status);
}

/** Prints why a command failed and returns the exit status. */
function reportError(error: unknown, argv: readonly string[]): number {
  const usageStatus = COMMANDS.find(({ name }) => name === argv[2])?.usageStatus ?? 2;
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : usageStatus;
  if (error instanceof BtprofError) {
    stderr.write(escapeControls(`btprof: ${error.message}${error.hint ? `\n${error.hint}` : ''}\n`));
    return error.status === 2 ? usageStatus : error.status;
  }
  stderr.write(escapeControls(`btprof: internal error: ${(error as Error)?.stack ?? String(error)}\n`));
  return 125;
}

void main(process.argv);
