import { Argument, Option } from 'commander';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { flag, timeNs } from '../../../bt/profilers/option-kinds.ts';
import type { Profiler } from '../../../bt/profilers/profiler.ts';
import { PROFILERS } from '../../../bt/profilers/profiler-registry.ts';
import { CATALOG, catalogOf } from '../../../cli/catalog.ts';
import { commandLine } from '../../../cli/command-line.ts';
import type { Choices, CommandDefinition } from '../../../cli/commands/command.ts';
import { COMMANDS } from '../../../cli/commands/command-registry.ts';
import type { Format } from '../../../cli/formats/format.ts';
import { FORMATS } from '../../../cli/formats/format-registry.ts';
import { stderr, stdout } from '../../../cli/output.ts';

const CHOICES: Choices = { profilers: CATALOG, formats: FORMATS };

afterEach(() => {
  vi.restoreAllMocks();
});

interface Outcome {
  readonly printed: string;
  readonly status: number | undefined;
  /** The code of commander's error. */
  readonly code: string | undefined;
}

async function btprof(
  words: readonly string[],
  { commands = COMMANDS, choices = CHOICES } = {},
): Promise<Outcome> {
  let [printed, status, code]: [string, number | undefined, string | undefined] = ['', undefined, undefined];
  for (const sink of [stdout, stderr])
    vi.spyOn(sink, 'write').mockImplementation((text) => {
      printed += text;
      return true;
    });
  const exit = (given: number) => {
    status = given;
  };
  const program = commandLine({ version: '7.7.7', commands, choices, start: { descriptors: [17] }, exit });
  await program.parseAsync(words, { from: 'user' }).catch((error) => {
    code = error.code;
  });
  return { printed, status, code };
}

describe('--help prints the golden text of', () => {
  test('btprof', async () => {
    const { printed } = await btprof(['--help']);
    await expect(printed).toMatchFileSnapshot('../../../fixtures/help/btprof.txt');
  });

  test.each(COMMANDS.map(({ name }) => name))('%s', async (name) => {
    const { printed } = await btprof([name, '--help']);
    await expect(printed).toMatchFileSnapshot(`../../../fixtures/help/${name}.txt`);
  });

  test.each(['', ...COMMANDS.map(({ name }) => name)])('%s in at most 80 columns', async (name) => {
    const { printed } = await btprof([...(name ? [name] : []), '--help']);
    expect(printed.split('\n').filter((line) => line.length > 80)).toEqual([]);
  });
});

test('--version prints the version', async () => {
  expect((await btprof(['--version'])).printed).toBe('7.7.7\n');
});

describe('a profiler of one object', () => {
  const faults: Profiler = {
    ...(PROFILERS[0] as Profiler),
    ...{ name: 'faults', summary: 'page faults by address', isDefault: true },
    options: {
      major: flag('only faults that read from a disk', '--major-faults'),
      max: timeNs('ignore faults longer than TIME'),
    },
  };
  const profilers = catalogOf([...PROFILERS, faults]);
  const helpOf = async (command: string) => {
    const { printed } = await btprof([command, '--help'], { choices: { ...CHOICES, profilers } });
    return printed;
  };

  test('is in the help of -p, with the default profilers', async () => {
    const namesOf = (chosen: readonly Profiler[]) => chosen.map(({ name }) => name);
    const all = namesOf([...PROFILERS, faults]).join(', ');
    const defaults = namesOf([...PROFILERS.filter(({ isDefault }) => isDefault), faults]).join(',');
    expect((await helpOf('run')).replace(/\s+/g, ' ')).toContain(
      `comma-separated: ${all} (default: ${defaults})`,
    );
  });

  test.each(['run', 'attach', 'system', 'demo', 'script'])(
    'is listed with its options in the help of %s',
    async (command) => {
      const help = await helpOf(command);
      expect(help).toMatch(/^ {2}faults +page faults by address$/m);
      expect(help).toMatch(/^ {2}faults:major +only faults that read from a disk$/m);
      expect(help).toMatch(/^ {2}faults:max=TIME +ignore faults longer than TIME$/m);
    },
  );

  test('has its option under the global name too, if it has one', async () => {
    const help = await helpOf('run');
    expect(help.replace(/\s+/g, ' ')).toContain(
      '--major-faults only faults that read from a disk; same as faults:major',
    );
    expect(help).not.toContain('--max');
  });
});

describe('a format of one object', () => {
  const xml: Format = {
    name: 'xml',
    summary: 'for an example',
    hasFlag: true,
    options: [new Option('--indent <n>', 'columns of an element')],
    render: () => '<profile/>',
    renderDiff: () => '<diff/>',
  };
  const choices: Choices = { ...CHOICES, formats: [...FORMATS, xml] };

  test('is in the help of the commands with formats, with its flag and its options', async () => {
    for (const name of ['run', 'attach', 'system', 'report', 'demo']) {
      const { printed } = await btprof([name, '--help'], { choices });
      expect(printed).toMatch(/^ {2}xml +for an example$/m);
      expect(printed).toMatch(/^ {2}--xml +short for --format xml$/m);
      expect(printed).toMatch(/^ {2}--indent <n> +columns of an element$/m);
    }
  });

  test('is in the help of diff when it can show a comparison', async () => {
    const { renderDiff, ...without } = xml;
    expect((await btprof(['diff', '--help'], { choices })).printed).toMatch(/^ {2}xml +for an example$/m);
    const single = { ...CHOICES, formats: [...FORMATS, without] as Choices['formats'] };
    expect((await btprof(['diff', '--help'], { choices: single })).printed).not.toContain('xml');
  });

  test('is a choice of --format', async () => {
    const refused = await btprof(['report', '-f', 'yaml', 'x'], { choices });
    expect(refused.code).toBe('commander.invalidArgument');
    expect(refused.printed).toMatch(/Allowed choices are summary, .*, xml\./);
  });
});

describe('a command of one object', () => {
  const seen = vi.fn();
  const echo: CommandDefinition<readonly [words: readonly string[]], { readonly loud?: boolean }> = {
    name: 'echo',
    summary: 'print words',
    description: 'Print words.',
    arguments: [new Argument('[word...]')],
    options: () => [new Option('--loud', 'print them in capitals')],
    action: async ([words], options, { descriptors }) => {
      seen(words, options, descriptors);
      return 3;
    },
  };
  const commands = [...COMMANDS, echo];

  test('is in the list of commands', async () => {
    expect((await btprof(['--help'], { commands })).printed).toMatch(/^ {2}echo +print words$/m);
  });

  test('gets its arguments, its options and the start time, and its result is the exit status', async () => {
    const { status } = await btprof(['echo', '--loud', 'a', 'b'], { commands });
    expect(status).toBe(3);
    expect(seen.mock.calls).toEqual([[['a', 'b'], { loud: true }, [17]]]);
  });
});
