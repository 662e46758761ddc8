import { Command, InvalidArgumentError } from 'commander';
import { describe, expect, test } from 'vitest';
import { CATALOG } from '../../../cli/catalog.ts';
import { parsePid } from '../../../cli/commands/attach.ts';
import { FORMATS } from '../../../cli/formats/format-registry.ts';
import { type ProfileOptions, profileOptions } from '../../../cli/options.ts';
import { parseIdleMatch } from '../../../cli/result-options.ts';

const CHOICES = { profilers: CATALOG, formats: FORMATS };

function parse(...words: string[]): ProfileOptions {
  const command = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  for (const option of profileOptions(CHOICES)) command.addOption(option);
  return command.parse(words, { from: 'user' }).opts<ProfileOptions>();
}

describe('process ids', () => {
  test('are collected', () => {
    expect(parsePid('17', parsePid('4194304'))).toEqual([4194304, 17]);
  });

  test.each(['', '0', '-1', '1.5', '12a', ' 12', '0x10', '01', '12345678901', 'sleep'])(
    'rejects %j',
    (text) => {
      expect(() => parsePid(text)).toThrow(InvalidArgumentError);
    },
  );
});

test('an invalid time is rejected with examples', () => {
  expect(() => parse('--duration', '10sec')).toThrow('Give a time such as 10s, 500ms or 2m.');
});

describe('rejects', () => {
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
    ['--duration', '10sec'],
    ['--format', 'xml'],
  ])('%s %j', (option, value) => {
    expect(() => parse(option, value)).toThrow(
      expect.objectContaining({ code: 'commander.invalidArgument' }),
    );
  });

  test('values beyond the limits, but accepts the limits', () => {
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
  test('are collected, with those that are not idle', () => {
    expect(parseIdleMatch('!^b$', parseIdleMatch('a+'))).toEqual([
      { pattern: /a+/, idle: true },
      { pattern: /^b$/, idle: false },
    ]);
  });

  test.each(['(', '[z-a]', '!*'])('rejects %j and explains the error', (text) => {
    expect(() => parseIdleMatch(text)).toThrow(/^Invalid regular expression: .+ Give a regular expression/);
  });
});
