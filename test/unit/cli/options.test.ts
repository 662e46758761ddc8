import { Command, InvalidArgumentError } from 'commander';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../../bt/errors.ts';
import { DEFAULT_PROFILERS, PROFILER_NAMES } from '../../../bt/profilers/names.ts';
import { parsePid } from '../../../cli/commands/attach.ts';
import { FORMATS } from '../../../cli/formats/registry.ts';
import { type ProfileOptions, profileOptions } from '../../../cli/options.ts';
import { planOf } from '../../../cli/plan.ts';
import { parseIdleMatch } from '../../../cli/result-options.ts';

const CHOICES = { profilers: { names: PROFILER_NAMES, defaults: DEFAULT_PROFILERS }, formats: FORMATS };

function parse(...words: string[]): ProfileOptions {
  const command = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  for (const option of profileOptions(CHOICES)) command.addOption(option);
  return command.parse(words, { from: 'user' }).opts<ProfileOptions>();
}

describe('times', () => {
  test('are in ns', () => {
    expect(parse('--min-block', '250us').minBlock).toBe(250e3);
  });

  test('anything that is not a time is refused', () => {
    expect(() => parse('--min-block', '10sec')).toThrow('Give a time such as 10s, 500ms or 2m.');
  });
});

describe('process IDs', () => {
  test('are collected in order', () => {
    expect(parsePid('17', parsePid('4194304'))).toEqual([4194304, 17]);
  });

  test.each(['', '0', '-1', '1.5', '12a', ' 12', '0x10', '01', '12345678901', 'sleep'])(
    '%j is none',
    (text) => {
      expect(() => parsePid(text)).toThrow(InvalidArgumentError);
    },
  );
});

describe('a plan', () => {
  test('without options has the defaults', () => {
    expect(planOf(parse())).toMatchObject({
      profilers: [{ name: 'offcpu' }, { name: 'syscalls' }],
      minBlockNs: 0,
      stacks: true,
      stackDepth: 127,
      children: true,
      intervalMs: undefined,
      durationMs: undefined,
      mapEntries: undefined,
    });
  });

  test('with options follows them', () => {
    const words =
      '-p syscalls -d 2m -i 0.5 --min-block 1ms --no-follow --no-stacks --stack-depth 16 --map-entries 5000'.split(
        ' ',
      );
    expect(planOf(parse(...words))).toMatchObject({
      profilers: [{ name: 'syscalls' }],
      minBlockNs: 1e6,
      stacks: false,
      stackDepth: 16,
      children: false,
      intervalMs: 500,
      durationMs: 120_000,
      mapEntries: 5000,
    });
  });

  test('accepts spaces and empty items in a list of profilers', () => {
    expect(planOf(parse('-p', ' syscalls ,,offcpu')).profilers.map((p) => p.name)).toEqual([
      'offcpu',
      'syscalls',
    ]);
  });

  test.each(['cpu', '', ','])('refuses the list of profilers %j', (list) => {
    expect(() => planOf(parse('-p', list))).toThrow(UsageError);
  });
});

describe('values that are refused', () => {
  test.each([
    ['--stack-depth', '0'],
    ['--stack-depth', '128'],
    ['--stack-depth', '1.5'],
    ['--stack-depth', '-5'],
    ['--stack-depth', ''],
    ['--map-entries', '0'],
    ['--map-entries', '-1'],
    ['--map-entries', '1.5'],
    ['--map-entries', '1e6'],
    ['--map-entries', '64k'],
    ['--map-entries', ''],
    ['--map-entries', '67108865'],
    ['--interval', '9ms'],
    ['--interval', '0'],
    ['--interval', '25d'],
    ['--duration', '0'],
    ['--duration', '0.4ms'],
    ['--duration', '597h'],
    ['--min-block', 'long'],
    ['--format', 'xml'],
  ])('%s %j', (option, value) => {
    expect(() => parse(option, value)).toThrow(
      expect.objectContaining({ code: 'commander.invalidArgument' }),
    );
  });

  test('the limits themselves are accepted', () => {
    expect(parse('--interval', '10ms', '--duration', '1ms', '--stack-depth', '1')).toMatchObject({
      interval: 10,
      duration: 1,
      stackDepth: 1,
    });
    expect(parse('--duration', '596h').duration).toBe(596 * 3600e3);
    expect(parse('--map-entries', '1').mapEntries).toBe(1);
    expect(parse('--map-entries', '67108864').mapEntries).toBe(2 ** 26);
  });
});

describe('idle functions', () => {
  test('are collected, and ! marks those that are not idle', () => {
    expect(parseIdleMatch('!^b$', parseIdleMatch('a+'))).toEqual([
      { pattern: /a+/, idle: true },
      { pattern: /^b$/, idle: false },
    ]);
  });

  test.each(['(', '[z-a]', '!*'])('%j is refused, with what is wrong', (text) => {
    expect(() => parseIdleMatch(text)).toThrow(/^Invalid regular expression: .+ Give a regular expression/);
  });
});
