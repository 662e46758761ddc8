import { Command } from 'commander';
import type { Choices, CommandDefinition, Start } from './commands/command.ts';
import { stderr, stdout } from './output.ts';

/** What a command line is made of. */
export interface CommandLineParts {
  readonly version: string;
  readonly commands: readonly CommandDefinition[];
  readonly choices: Choices;
  readonly start: Start;
  /** Called with the exit status of the command that ran. */
  readonly exit: (status: number) => void;
}

/** The parser of btprof's arguments. */
export function commandLine({ version, commands, choices, start, exit }: CommandLineParts): Command {
  const program = new Command('btprof')
    .description('What is this program waiting for, and which system calls does it make?')
    .version(version, '-V, --version', 'print the version')
    .enablePositionalOptions()
    .showSuggestionAfterError()
    .exitOverride()
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .configureOutput({
      writeOut: stdout.write,
      writeErr: stderr.write,
      getOutHelpWidth: () => 80,
      outputError: (text, write) => write(text.replace(/^error: /, 'btprof: ')),
    })
    .addHelpText('after', EXAMPLES);
  for (const definition of commands) {
    addCommand(program, definition, choices).action(async (...given: unknown[]) => {
      // commander passes the arguments, then the options, then the command.
      exit(await definition.action(given.slice(0, -2), given.at(-2) as object, start));
    });
  }
  return program;
}

function addCommand(program: Command, definition: CommandDefinition, choices: Choices): Command {
  const { name, usage, summary, description, notes } = definition;
  const command = program.command(name).summary(summary).description(description);
  if (usage !== undefined) command.usage(usage);
  for (const argument of definition.arguments ?? []) command.addArgument(argument);
  for (const option of definition.options?.(choices) ?? []) command.addOption(option);
  if (notes) command.addHelpText('after', () => notes(choices));
  return command.passThroughOptions(definition.startsCommand ?? false);
}

const EXAMPLES = `
Examples:
  btprof run -- make test                  what do the tests wait for?
  btprof run --json -o p.json -- ./server  the result as JSON
  btprof attach -d 10s $(pgrep nginx)      running processes, for ten seconds
  btprof system -d 5s                      the whole machine
  btprof run --capture a.btprof -- ./job   save the run
  btprof report -f flamegraph -o a.html a.btprof   draw it, on any machine
  btprof demo lock-convoy                  learn to read a result

'btprof COMMAND --help' lists the options of a command.

Exit status of run: the command's own; 125 if btprof fails, 126 or 127 if the
command cannot be started.`;
