import { describe, expect, test } from 'vitest';
import { PROFILERS } from '../../../bt/profilers/profiler-registry.ts';
import { CATALOG } from '../../../cli/catalog.ts';

describe('the catalog', () => {
  test('describes every profiler of the registry, in its order', () => {
    const described = CATALOG.map(({ options, ...rest }) => ({
      ...rest,
      options: options.map((o) => o.name),
    }));
    expect(described).toEqual(
      PROFILERS.map(({ name, summary, isDefault = false, options = {}, ...profiler }) => {
        const { tracepoints, timer, cost, caveats } = profiler;
        const attachesTo = timer ? [...tracepoints, timer] : tracepoints;
        return { name, summary, isDefault, attachesTo, cost, caveats, options: Object.keys(options) };
      }),
    );
  });

  test.each(PROFILERS)('describes the options of $name', ({ name, options = {} }) => {
    const described = CATALOG.find((one) => one.name === name)?.options;
    expect(described).toEqual(
      Object.entries(options).map(([option, { help, value, alias }]) => ({
        name: option,
        help,
        value,
        alias,
      })),
    );
  });

  test('is plain data, which the build writes as JSON', () => {
    expect(JSON.parse(JSON.stringify(CATALOG))).toEqual(CATALOG);
  });
});
