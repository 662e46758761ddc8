import { describe, expect, test } from 'vitest';
import { type Fragment, mapsOf, type ProgramOptions, reportFull, writeProgram } from '../../../bt/program.ts';

const A: Fragment = {
  begin: ['@gen[$1] = 1;'],
  clauses: [
    {
      attach: 'tracepoint:a:b',
      condition: '@gen[pid]',
      comment: 'One line.\nAnother.',
      body: ['x();', '', 'y();'],
    },
  ],
  maps: [
    { name: '@gen', role: 'helper', key: 1, value: 1 },
    { name: '@count', role: 'result', key: 1, value: 1, perCpu: true },
    { name: '@a', role: 'result', key: 2, value: 1, perCpu: true, stacksInKey: 2 },
    { name: '@off', role: 'leftover', key: 1, value: 4, stacksInValue: 2, reportsFull: true },
  ],
};
const B: Fragment = {
  clauses: [{ attach: 'tracepoint:c:d', comment: 'C.', body: ['z();'] }],
  maps: [{ name: '@b', role: 'result', key: 1, value: 1, perCpu: true }],
};

/** The last map comes first: maps with stacks take longest to print, and the others still count meanwhile. */
const RESULTS = ['print(@full);', 'print(@b);', 'print(@a);', 'print(@count);'];

function write(options: Partial<ProgramOptions> = {}, fragments = [A, B]): string {
  return writeProgram(fragments, { head: ['Title.', '', 'Text.'], ...options });
}

/** The statements of a probe, found by its attach point. If several clauses match, the last one. */
function bodyOf(program: string, attach: string): string[] {
  const from = program.lastIndexOf(`\n${attach}\n`);
  if (from < 0) throw new Error(`no probe ${attach} in ${program}`);
  const open = program.indexOf('\n{\n', from);
  return program
    .slice(open + 3, program.indexOf('\n}\n', open))
    .split('\n')
    .map((line) => line.trim());
}

test('the head is one comment without trailing blanks', () => {
  expect(write().startsWith('/*\n * Title.\n *\n * Text.\n */\n\n')).toBe(true);
});

test('settings are between the head and the probes, and no settings make no block', () => {
  const config = ['a=1', 'b=enable'];
  expect(write({ config })).toContain(' */\n\nconfig = { a=1; b=enable }\n\n// Printed once all probes are');
  expect(write({ config: [] })).toBe(write());
  expect(write()).not.toContain('config');
});

test('a probe has its comment, its predicate and its statements, and blank lines stay blank', () => {
  expect(write()).toContain(
    '// One line.\n// Another.\ntracepoint:a:b\n/@gen[pid]/\n{\n  x();\n\n  y();\n}\n',
  );
});

test('a probe without a predicate has no line for one', () => {
  expect(write()).toContain('// C.\ntracepoint:c:d\n{\n  z();\n}\n');
});

test('the only BEGIN runs the statements of fragments before it prints ready', () => {
  const program = write();
  expect(program.match(/^BEGIN$/gm)).toHaveLength(1);
  expect(bodyOf(program, 'BEGIN')).toEqual(['@gen[$1] = 1;', 'print(("ready", nsecs));']);
});

test('END clears only helper maps', () => {
  expect(bodyOf(write(), 'END')).toEqual(['print(("stop", nsecs));', 'clear(@gen);']);
  expect(bodyOf(write({ self: 42 }), 'END')).toEqual([
    'print(("stop", nsecs));',
    'clear(@gen);',
    'clear(@stopped);',
  ]);
});

describe('at an interval', () => {
  test('result maps are printed between tick and tock, but leftovers are not', () => {
    expect(bodyOf(write({ intervalMs: 250 }), 'interval:ms:250')).toEqual([
      'print(("tick", nsecs));',
      ...RESULTS,
      'print(("tock", nsecs));',
    ]);
  });

  test('no maps are printed after the profiler has asked for the end', () => {
    expect(write({ intervalMs: 250, self: 42 })).toContain('interval:ms:250\n/@stopped == 0/\n');
    expect(write({ intervalMs: 250 })).toContain('interval:ms:250\n{\n');
  });

  test('maps are never cleared, because events between a print and a clear would be lost', () => {
    const before = write({ intervalMs: 250 }).split('\nEND\n')[0];
    expect(before).not.toMatch(/\b(?:clear|zero)\(/);
  });

  test('no probe exists without --interval', () => {
    expect(write()).not.toContain('interval:');
  });
});

describe('with a profiler', () => {
  const program = write({ self: 42 });

  test('a process that it starts stops the waits and prints the maps, those of the first profiler last', () => {
    expect(program).toContain('/pid == 42 && !(args->clone_flags & 0x10000) && comm == "btprof-asks"/');
    expect(
      bodyOf(
        program,
        'tracepoint:task:task_newtask\n/pid == 42 && !(args->clone_flags & 0x10000) && comm == "btprof-asks"/',
      ),
    ).toEqual([
      '@stopped = 1;',
      'print(("stop", nsecs));',
      ...RESULTS,
      'print(@off);',
      'print(("end", nsecs));',
    ]);
  });

  test('its end ends the program', () => {
    expect(bodyOf(program, 'tracepoint:sched:sched_process_exit\n/tid == 42/')).toEqual(['exit();']);
  });
});

test('without a profiler nothing waits for one', () => {
  expect(write()).not.toContain('exit();');
  expect(write()).not.toContain('task_newtask');
});

describe('the maps of a program', () => {
  const names = (stops: boolean) => mapsOf([A, B], stops).map((map) => map.name);

  test('are those of its fragments, plus the one that records full maps', () => {
    expect(names(false)).toEqual(['@gen', '@count', '@a', '@off', '@b', '@full']);
    expect(mapsOf([A], false).at(-1)).toMatchObject({ name: '@full', role: 'result' });
    expect(mapsOf([B], false).map((map) => map.name)).toEqual(['@b']);
  });

  test('include the stop flag, which is never printed', () => {
    expect(names(true)).toEqual([...names(false), '@stopped']);
    expect(mapsOf([A, B], true).at(-1)?.role).toBe('helper');
  });
});

test('report their name when they are full', () => {
  expect(reportFull('@gen', '@gen[tid] == 0')).toBe('if (@gen[tid] == 0) { @full["@gen"] = 1; }');
});

describe('fragments that share a probe', () => {
  const clause = (body: string, condition?: string) => ({
    ...{ attach: 'tracepoint:a:b', comment: `Why ${body}.`, body: [`${body}();`] },
    ...(condition === undefined ? {} : { condition }),
  });
  const merged = (...clauses: Fragment['clauses']) =>
    write(
      {},
      clauses.map((one) => ({ clauses: [one], maps: [] })),
    );

  test('become one clause, each with its comment and its condition', () => {
    const program = merged(clause('x', '@a'), clause('y', '@b'), clause('z'));
    expect(program.match(/^tracepoint:a:b$/gm)).toHaveLength(1);
    expect(program).toContain(
      [
        ...['tracepoint:a:b', '{', '  // Why x.', '  if (@a) {', '    x();', '  }', ''],
        ...['  // Why y.', '  if (@b) {', '    y();', '  }', '', '  // Why z.', '  z();', '}', ''],
      ].join('\n'),
    );
  });

  test('have one predicate if all have the same condition', () => {
    expect(merged(clause('x', '@a'), clause('y', '@a'))).toContain(
      'tracepoint:a:b\n/@a/\n{\n  // Why x.\n  x();\n\n  // Why y.\n  y();\n}\n',
    );
  });
});
