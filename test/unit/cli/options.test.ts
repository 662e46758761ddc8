import { Command, InvalidArgumentError } from 'commander';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../../bt/errors.ts';
import { addProfileOptions, type ProfileOptions, parsePid, parseTimeNs } from '../../../cli/options.ts';
import { planOf } from '../../../cli/plan.ts';
import { parseIdleMatch } from '../../../cli/result-options.ts';

function parse(...words: string[]): ProfileOptions {
  const command = addProfileOptions(
    new Command().exitOverride().configureOutput({ writeErr: () => undefined }),
  );
  return command.parse(words, { from: 'user' }).opts<ProfileOptions>();
}

describe('times', () => {
  test.each([
    ['10s', 10e9],
    ['500ms', 500e6],
    ['2m', 120e9],
    ['1h', 3600e9],
    ['1.5s', 1.5e9],
    ['250us', 250e3],
    ['250µs', 250e3],
    ['7ns', 7],
    ['3', 3e9],
    ['0', 0],
    ['0.1', 1e8],
    ['0.4ns', 0],
  ])('%s is %d ns', (text, ns) => {
    expect(parseTimeNs(text)).toBe(ns);
  });

  test.each([
    '',
    's',
    '-1s',
    '+1s',
    '1 s',
    '1e3',
    '1,5s',
    '.5s',
    '1.s',
    '10S',
    '10sec',
    'abc',
    '0x10',
    '1s2',
    'NaN',
  ])('%j is none', (text) => {
    expect(() => parseTimeNs(text)).toThrow(InvalidArgumentError);
  });

  test.each(['9007200s', '99999999999999999999', '1'.repeat(400)])('%s is too long a time', (text) => {
    expect(() => parseTimeNs(text)).toThrow(InvalidArgumentError);
  });
});

describe('process ids', () => {
  test('are gathered', () => {
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
  test('without options is the default of the contract', () => {
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

  test('with options is what they say', () => {
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

  test('takes lists of profilers with blanks and empty places', () => {
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

  test('the limits themselves are taken', () => {
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
  test('are added up, with those that are not', () => {
    expect(parseIdleMatch('!^b$', parseIdleMatch('a+'))).toEqual([
      { pattern: /a+/, idle: true },
      { pattern: /^b$/, idle: false },
    ]);
  });

  test.each(['(', '[z-a]', '!*'])('%j is refused, with what is wrong', (text) => {
    expect(() => parseIdleMatch(text)).toThrow(/^Invalid regular expression: .+ Give a regular expression/);
  });
});
