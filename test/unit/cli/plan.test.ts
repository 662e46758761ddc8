import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import type { Plan } from '../../../bt/compose.ts';
import { flag, timeNs } from '../../../bt/profilers/option-kinds.ts';
import type { Profiler } from '../../../bt/profilers/profiler.ts';
import { PROFILERS } from '../../../bt/profilers/profiler-registry.ts';
import { catalogOf } from '../../../cli/catalog.ts';
import { FORMATS } from '../../../cli/formats/format-registry.ts';
import { type ProfileOptions, profileOptions } from '../../../cli/options.ts';
import { planOf } from '../../../cli/plan.ts';
import { UsageError } from '../../../metrics/errors.ts';

function parse(words: string, registered: readonly Profiler[] = PROFILERS): ProfileOptions {
  const command = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  for (const option of profileOptions({ profilers: catalogOf(registered), formats: FORMATS }))
    command.addOption(option);
  return command.parse(words.split(' ').filter(Boolean), { from: 'user' }).opts<ProfileOptions>();
}

/** The names and options of the profilers in a plan. */
function profilersOf({ profilers }: Plan): [name: string, options: object][] {
  return profilers.map(({ profiler, options }) => [profiler.name, options]);
}

function refusalOf(words: string): UsageError {
  try {
    planOf(parse(words));
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  return expect.unreachable();
}

describe('a plan', () => {
  test('has the documented defaults without options', () => {
    const plan = planOf(parse(''));
    expect(profilersOf(plan)).toEqual([
      ['offcpu', {}],
      ['syscalls', {}],
    ]);
    expect(plan).toMatchObject({
      ...{ stacks: true, stackDepth: 127, children: true },
      ...{ intervalMs: undefined, durationMs: undefined, mapEntries: undefined },
    });
  });

  test('has the values of the options', () => {
    const plan = planOf(
      parse(
        '-p offcpu -d 2m -i 0.5 --min-block 1ms --no-follow --no-stacks --stack-depth 16 --map-entries 5000',
      ),
    );
    expect(profilersOf(plan)).toEqual([['offcpu', { min: 1e6 }]]);
    expect(plan).toMatchObject({
      ...{ stacks: false, stackDepth: 16, children: false },
      ...{ intervalMs: 500, durationMs: 120_000, mapEntries: 5000 },
    });
  });

  test.each([
    ['-p syscalls', [['syscalls', {}]]],
    [
      '-p syscalls:times,offcpu:min=1ms',
      [
        ['offcpu', { min: 1e6 }],
        ['syscalls', { times: true }],
      ],
    ],
    [
      '-p ,syscalls,,offcpu',
      [
        ['offcpu', {}],
        ['syscalls', {}],
      ],
    ],
  ])('of %s has these profilers, in the order of the registry', (words, profilers) => {
    expect(profilersOf(planOf(parse(words)))).toEqual(profilers);
  });

  test('of script has the profilers in its arguments', () => {
    const { profilers, ...options } = parse('--syscall-times');
    expect(profilersOf(planOf(options, 'oncpu,syscalls'))).toEqual([
      ['oncpu', {}],
      ['syscalls', { times: true }],
    ]);
  });

  test.each(['cpu', ','])('rejects the list of profilers %j', (list) => {
    expect(refusalOf(`-p ${list}`)).toMatchObject({
      status: 2,
      message: expect.stringMatching(/unknown profiler/),
    });
  });

  test('rejects an empty list of profilers', () => {
    expect(() => planOf({ ...parse(''), profilers: '' })).toThrow(UsageError);
  });
});

describe('the global name of an option of a profiler', () => {
  test.each([
    ['--min-block 250us', '-p offcpu:min=250us,syscalls'],
    ['--syscall-times', '-p offcpu,syscalls:times'],
    ['--min-block 0 --syscall-times', '-p offcpu:min=0,syscalls:times'],
    ['-p syscalls --syscall-times', '-p syscalls:times'],
    ['-p oncpu,offcpu --min-block 1ms', '-p oncpu,offcpu:min=1ms'],
    ['-p offcpu:min=5s --min-block 1ms', '-p offcpu:min=1ms'],
  ])('%s is the same as %s', (short, long) => {
    expect(planOf(parse(short))).toEqual(planOf(parse(long)));
  });

  test.each([
    ['-p syscalls --min-block 1ms', '--min-block needs the profiler offcpu.', 'Type: -p syscalls,offcpu'],
    ['-p offcpu --syscall-times', '--syscall-times needs the profiler syscalls.', 'Type: -p offcpu,syscalls'],
    [
      '-p oncpu,offcpu --syscall-times',
      '--syscall-times needs the profiler syscalls.',
      'Type: -p oncpu,offcpu,syscalls',
    ],
  ])('%s is rejected without its profiler', (words, message, hint) => {
    expect(refusalOf(words)).toMatchObject({ message, hint, status: 2 });
  });

  test.each(['10sec', 'long', '-1', '1e3'])('rejects the time %j', (time) => {
    expect(refusalOf(`--min-block=${time}`)).toMatchObject({
      message: `the option "offcpu:min=${time}" needs a time such as 10s, 500ms or 2m.`,
      hint: 'Type: -p offcpu:min=TIME or --min-block TIME',
      status: 2,
    });
  });
});

test('a profiler of one object runs by default, and takes its options under both names', () => {
  const faults: Profiler = {
    ...(PROFILERS[0] as Profiler),
    ...{ name: 'faults', isDefault: true },
    options: { major: flag('read from a disk', '--major-faults'), max: timeNs('ignore longer ones') },
  };
  const registered = [...PROFILERS, faults];
  const of = (words: string) => {
    const options = parse(words, registered);
    return profilersOf(planOf(options, options.profilers, registered));
  };
  expect(of('').map(([name]) => name)).toEqual(['offcpu', 'syscalls', 'faults']);
  expect(of('-p faults --major-faults')).toEqual([['faults', { major: true }]]);
  expect(of('-p faults:major:max=2s')).toEqual([['faults', { major: true, max: 2e9 }]]);
});
