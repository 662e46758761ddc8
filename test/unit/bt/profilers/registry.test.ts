import { describe, expect, test } from 'vitest';
import { UsageError } from '../../../../bt/errors.ts';
import { PROFILERS, selectProfilers } from '../../../../bt/profilers/registry.ts';
import { OPTIONS } from './fragment-options.ts';

test('names select profilers in the order of the registry, each once', () => {
  expect(selectProfilers(['syscalls', 'offcpu', 'syscalls']).map((p) => p.name)).toEqual([
    'offcpu',
    'syscalls',
  ]);
  expect(selectProfilers(['syscalls']).map((p) => p.name)).toEqual(['syscalls']);
});

test.each([['cpu'], ['OFFCPU'], ['']])('the name %j is none, and those there are are listed', (name) => {
  expect(() => selectProfilers(['offcpu', name])).toThrow(UsageError);
  expect(() => selectProfilers(['offcpu', name])).toThrow(`unknown profiler ${JSON.stringify(name)}`);
  try {
    selectProfilers([name]);
    expect.unreachable();
  } catch (error) {
    expect(error).toMatchObject({ status: 2, hint: expect.stringContaining('offcpu, oncpu, syscalls') });
  }
});

test('no profilers at all is a mistake', () => {
  expect(() => selectProfilers([])).toThrow(UsageError);
});

test('names are unique', () => {
  expect(new Set(PROFILERS.map((p) => p.name)).size).toBe(PROFILERS.length);
});

describe.each(PROFILERS)('$name', (profiler) => {
  test('attaches to what it says it does, and to no others', () => {
    const attached = profiler.fragment(OPTIONS).probes.map((probe) => probe.attach);
    const tracepoints = profiler.tracepoints.map((name) => `tracepoint:${name}`);
    expect(attached).toEqual([...tracepoints, ...(profiler.timer ? [profiler.timer] : [])]);
  });

  test('has results, and says in one line what it is and costs', () => {
    expect(profiler.fragment(OPTIONS).maps.map((map) => map.role)).toContain('result');
    for (const text of [profiler.summary, profiler.cost, ...profiler.caveats]) {
      expect(text).toMatch(/^[^\n]{10,120}$/);
    }
  });
});
