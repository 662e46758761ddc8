import { describe, expect, test } from 'vitest';
import { PROFILERS } from '../../../../bt/profilers/profiler-registry.ts';
import { CONTEXT } from './program-context.ts';

test('names are unique', () => {
  expect(new Set(PROFILERS.map((p) => p.name)).size).toBe(PROFILERS.length);
});

describe.each(PROFILERS)('$name', (profiler) => {
  test('attaches to exactly the tracepoints that it lists', () => {
    const attached = profiler.program(CONTEXT, {}).clauses.map((clause) => clause.attach);
    const tracepoints = profiler.tracepoints.map((name) => `tracepoint:${name}`);
    expect(attached).toEqual([...tracepoints, ...(profiler.timer ? [profiler.timer] : [])]);
  });

  test('has results, and describes itself and its cost in one line each', () => {
    expect(profiler.program(CONTEXT, {}).maps.map((map) => map.role)).toContain('result');
    for (const text of [profiler.summary, profiler.cost, ...profiler.caveats]) {
      expect(text).toMatch(/^[^\n]{10,120}$/);
    }
  });
});
