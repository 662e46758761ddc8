import { describe, expect, test } from 'vitest';
import { chooseProfilers, parseWanted } from '../../../../bt/profilers/choose.ts';
import { PROFILERS } from '../../../../bt/profilers/profiler-registry.ts';
import { UsageError } from '../../../../metrics/errors.ts';

/** Names and options of the profilers that a list chooses. */
function chosen(list: string): [name: string, options: object][] {
  return chooseProfilers(parseWanted(list), PROFILERS).map(({ profiler, options }) => [
    profiler.name,
    options,
  ]);
}

function refusalOf(list: string): UsageError {
  try {
    chosen(list);
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  return expect.unreachable();
}

describe('parseWanted', () => {
  test('reads names, flags and values', () => {
    expect(parseWanted('syscalls:times,offcpu:min=1ms,oncpu')).toEqual([
      { name: 'syscalls', options: { times: true } },
      { name: 'offcpu', options: { min: '1ms' } },
      { name: 'oncpu', options: {} },
    ]);
  });

  test('reads several options of one profiler', () => {
    expect(parseWanted('a:b=1:c:d=')).toEqual([{ name: 'a', options: { b: '1', c: true, d: '' } }]);
  });

  test('a value may contain =', () => {
    expect(parseWanted('a:b=c=d')).toEqual([{ name: 'a', options: { b: 'c=d' } }]);
  });

  test('ignores blanks and empty entries', () => {
    expect(parseWanted(' syscalls : times ,, offcpu,')).toEqual([
      { name: 'syscalls', options: { times: true } },
      { name: 'offcpu', options: {} },
    ]);
    expect(parseWanted(' , ')).toEqual([]);
  });
});

describe('chooseProfilers', () => {
  test('returns profilers in the order of the registry, each once', () => {
    expect(chosen('syscalls,offcpu,syscalls')).toEqual([
      ['offcpu', {}],
      ['syscalls', {}],
    ]);
    expect(chosen('syscalls')).toEqual([['syscalls', {}]]);
  });

  test('reads the values of options', () => {
    expect(chosen('syscalls:times,offcpu:min=1ms')).toEqual([
      ['offcpu', { min: 1e6 }],
      ['syscalls', { times: true }],
    ]);
    expect(chosen('offcpu:min=250us')).toEqual([['offcpu', { min: 250e3 }]]);
    expect(chosen('offcpu:min=0')).toEqual([['offcpu', { min: 0 }]]);
  });

  test('joins the options of a repeated profiler; the last value counts', () => {
    expect(chosen('syscalls:times,syscalls')).toEqual([['syscalls', { times: true }]]);
    expect(chosen('offcpu:min=1ms,offcpu:min=2ms')).toEqual([['offcpu', { min: 2e6 }]]);
  });

  test.each([
    ['cpu', 'cpu'],
    ['offcpu,OFFCPU', 'OFFCPU'],
    ['offcpu:min=1ms,cpu:min=1ms', 'cpu'],
    [':times', ''],
    ['__proto__', '__proto__'],
    ['', ''],
    [',', ''],
  ])('rejects the unknown profiler in %j and lists the known ones', (list, name) => {
    expect(refusalOf(list)).toMatchObject({
      message: `unknown profiler ${JSON.stringify(name)}`,
      hint: expect.stringContaining('offcpu, oncpu, syscalls'),
      status: 2,
    });
  });

  test.each([
    ['offcpu:max=1ms', 'offcpu', 'max', 'It has: offcpu:min=TIME'],
    ['syscalls:time', 'syscalls', 'time', 'It has: syscalls:times'],
    ['oncpu:times', 'oncpu', 'times', 'It has no options.'],
    ['syscalls:', 'syscalls', '', 'It has: syscalls:times'],
    ['offcpu:__proto__=1', 'offcpu', '__proto__', 'It has: offcpu:min=TIME'],
    ['offcpu:toString', 'offcpu', 'toString', 'It has: offcpu:min=TIME'],
  ])('rejects the unknown option in %j and lists the known ones', (list, profiler, option, hint) => {
    expect(refusalOf(list)).toMatchObject({
      message: `the profiler ${profiler} has no option ${JSON.stringify(option)}.`,
      ...{ hint, status: 2 },
    });
  });

  test.each([
    ['offcpu:min=10sec', 'needs a time such as 10s, 500ms or 2m'],
    ['offcpu:min=-1ms', 'needs a time such as 10s, 500ms or 2m'],
    ['offcpu:min=', 'needs a time such as 10s, 500ms or 2m'],
    ['offcpu:min', 'needs a time such as 10s, 500ms or 2m'],
    ['syscalls:times=1', 'takes no value'],
    ['syscalls:times=', 'takes no value'],
  ])('rejects %j and suggests what to type', (list, problem) => {
    const [option = ''] = list.split('=');
    expect(refusalOf(list)).toMatchObject({
      message: `the option ${JSON.stringify(list)} ${problem}.`,
      hint:
        option === 'offcpu:min'
          ? 'Type: -p offcpu:min=TIME or --min-block TIME'
          : 'Type: -p syscalls:times or --syscall-times',
      status: 2,
    });
  });
});
