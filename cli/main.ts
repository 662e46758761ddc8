import './standard-streams.ts';
import { Command, CommanderError } from 'commander';
import { inheritedDescriptors, rawArguments } from '../bt/driver/inherited.ts';
import { askVersion } from '../bt/driver/version-question.ts';
import { BtprofError } from '../bt/errors.ts';
import { addDiffOptions, type DiffOptions } from './diff-options.ts';
import { addPlanOptions, addProfileOptions, type ProfileOptions, parseCommand, parsePid } from './options.ts';
import { stderr, stdout } from './output.ts';
import { addResultOptions, type ResultOptions } from './result-options.ts';
import { VERSION } from './version.ts';

/** Read before anything is opened: afterwards ours and the inherited ones look alike. */
const DESCRIPTORS = inheritedDescriptors();

async function main(argv: readonly string[]): Promise<never> {
  let status = 0;
  const program = commandLine((code) => {
    status = code;
  });
  try {
    await program.parseAsync(argv);
  } catch (error) {
    status = explain(error, argv);
  }
  process.exit(status);
}

/** Prints why a command failed and returns the exit status. */
function explain(error: unknown, argv: readonly string[]): number {
  const usageStatus = argv[2] === 'run' ? 125 : 2;
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : usageStatus;
  if (error instanceof BtprofError) {
    stderr.write(`btprof: ${error.message}${error.hint ? `\n${error.hint}` : ''}\n`);
    return error.status === 2 ? usageStatus : error.status;
  }
  stderr.write(`btprof: an error of btprof itself: ${(error as Error)?.stack ?? String(error)}\n`);
  return 125;
}

const commands = () => import('./commands.ts');

/** bpftrace answers while the code is loaded. */
async function profileCommands({ bpftrace }: ProfileOptions) {
  void askVersion(bpftrace);
  return (await commands()).profile();
}

type SetStatus = (status: number) => void;

function commandLine(exit: SetStatus): Command {
  const program = new Command('btprof')
    .description('What is this program waiting for, and which system calls does it make?')
    .version(VERSION, '-V, --version')
    .enablePositionalOptions()
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: stdout.write,
      writeErr: stderr.write,
      outputError: (text, write) => write(text.replace(/^error: /, 'btprof: ')),
    })
    .addHelpText('after', EXAMPLES);
  for (const add of [
    addRun,
    addAttach,
    addSystem,
    addReport,
    addDiff,
    addScript,
    addProfilers,
    addDoctor,
    addDemo,
  ])
    add(program, exit);
  return program;
}

function addRun(program: Command, exit: SetStatus): void {
  addProfileOptions(program.command('run').usage('[options] [--] COMMAND [ARG...]'))
    .summary('start a command and profile it with all its children')
    .description(
      'Start a command and profile it with all its children. The exit status is that of the command.',
    )
    .argument('<command>')
    .argument('[args...]')
    .passThroughOptions()
    .action(async (_command: string, args: string[], options: ProfileOptions) => {
      const { runCommand } = await profileCommands(options);
      exit(await runCommand(rawArguments(1 + args.length), DESCRIPTORS, options));
    });
}

function addAttach(program: Command, exit: SetStatus): void {
  addProfileOptions(program.command('attach').usage('[options] PID...'))
    .summary('profile running processes, and the children they start')
    .description(
      'Profile running processes, and the children they start, until they end, Ctrl-C or --duration.',
    )
    .argument('<pid...>', 'process ids', parsePid)
    .action(async (pids: number[], options: ProfileOptions) => {
      const { attachCommand } = await profileCommands(options);
      exit(await attachCommand(pids, options));
    });
}

function addSystem(program: Command, exit: SetStatus): void {
  addProfileOptions(program.command('system'))
    .summary('profile the whole machine')
    .description('Profile every process of the machine but btprof itself, until Ctrl-C or --duration.')
    .action(async (options: ProfileOptions) => {
      const { systemCommand } = await profileCommands(options);
      exit(await systemCommand(options));
    });
}

function addReport(program: Command, exit: SetStatus): void {
  addResultOptions(program.command('report').usage('[options] CAPTURE'))
    .summary('make any output again from a capture, on any machine, without root')
    .description(
      "Make any output again from the file of 'run --capture FILE', on any machine, without root or bpftrace.",
    )
    .argument('<capture>', 'its file; - for standard input')
    .action(async (path: string, options: ResultOptions) => {
      const { reportCommand } = await (await commands()).report();
      exit(await reportCommand(path, options));
    });
}

function addDiff(program: Command, exit: SetStatus): void {
  addDiffOptions(program.command('diff').usage('[options] BEFORE AFTER'))
    .summary('compare two results; --fail-if makes it a gate')
    .description(
      'Compare two JSON results or captures, or several of each side: --runs N makes the first N files BEFORE.',
    )
    .argument('<file...>')
    .action(async (files: string[], options: DiffOptions) => {
      const { diffCommand } = await (await commands()).diff();
      exit(await diffCommand(files, options));
    });
}

function addScript(program: Command, exit: SetStatus): void {
  addPlanOptions(program.command('script').usage('[options] [PROFILER...]'))
    .summary('print the bpftrace program, commented, runnable by bpftrace alone')
    .description('Print the bpftrace program that would run, commented; bpftrace alone can run it: FILE PID.')
    .argument('[profiler...]')
    .action(async (names: string[], options: ProfileOptions) => {
      const { scriptCommand } = await (await commands()).script();
      exit(await scriptCommand(names, options));
    });
}

function addProfilers(program: Command, exit: SetStatus): void {
  program
    .command('profilers')
    .summary('list the profilers, what each attaches to and what it costs')
    .description('List the profilers, what each attaches to and what it costs.')
    .action(async () => {
      const { profilersCommand } = await (await commands()).script();
      exit(profilersCommand());
    });
}

function addDoctor(program: Command, exit: SetStatus): void {
  program
    .command('doctor')
    .summary('what this host can and cannot do, with the command that mends it')
    .description('Check what this host can and cannot do; each with the one command that mends it.')
    .option('--json', 'the same for scripts')
    .option('--bpftrace <path>', 'which bpftrace', parseCommand, 'bpftrace')
    .action(async (options: { json?: boolean; bpftrace: string }) => {
      const { doctorCommand } = await (await commands()).doctor();
      exit(await doctorCommand(options));
    });
}

function addDemo(program: Command, exit: SetStatus): void {
  addProfileOptions(program.command('demo').usage('[NAME [options]]'))
    .summary('profile a built-in program and say how to read what is seen')
    .description(
      'Profile a built-in program as run does, and say how to read the profile. Without a name: list them.',
    )
    .argument('[name]')
    .action(async (name: string | undefined, options: ProfileOptions) => {
      if (name !== undefined) void askVersion(options.bpftrace);
      const { demoCommand } = await (await commands()).demo();
      exit(await demoCommand(name, DESCRIPTORS, options));
    });
}

const EXAMPLES = `
Examples:
  btprof run -- make test                  a summary of what the tests waited for
  btprof run --json -o p.json -- ./server  the result as JSON
  btprof attach -d 10s $(pgrep nginx)      running processes, for ten seconds
  btprof system -d 5s                      the whole machine
  btprof run --capture a.btprof -- ./job   keep it, and look at it anywhere:
  btprof report -f flamegraph -o a.html a.btprof
  btprof demo lock-convoy                  how to read it, by example

Exit status: run: that of the command; 125 when btprof fails, 126 or 127 when the command cannot run.
`;

await main(process.argv);
