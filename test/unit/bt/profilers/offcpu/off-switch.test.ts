import { describe, expect, test } from 'vitest';
import { offcpu } from '../../../../../bt/profilers/offcpu/offcpu.ts';
import type { ProgramContext } from '../../../../../bt/profilers/profiler.ts';
import { CONTEXT } from '../program-context.ts';

describe('the program fragment', () => {
  const bodyOf = (changes: Partial<ProgramContext> = {}, options = {}) =>
    offcpu.program({ ...CONTEXT, ...changes }, options).clauses.flatMap((clause) => clause.body);

  test.each(['perf', 'raw'] as const)(
    'saves stacks at switch-out, in mode %s and to the requested depth',
    (stackMode) => {
      const saved = bodyOf({ stackMode, stackDepth: 17 }).find((line) => line.includes('@off[$tid] = '));
      expect(saved).toContain(`, kstack(${stackMode}, 17), ustack(${stackMode}, 17));`);
    },
  );

  test.each([true, false])('declares the type of @off in BEGIN and leaves it empty: stacks %s', (stacks) => {
    const { begin = [] } = offcpu.program({ ...CONTEXT, stacks }, {});
    const wait = bodyOf({ stacks }).find((line) => line.includes('@off[$tid] = ')) ?? '';
    expect(begin).toHaveLength(4);
    expect(begin[0]?.startsWith('@off[(uint64)0] = (')).toBe(true);
    expect(begin[0]?.split(',')).toHaveLength(wait.split(',').length);
    expect(begin[1]).toBe('delete(@off[(uint64)0]);');
  });

  test('reports a wait that does not fit into the map, wherever it begins', () => {
    const seeds = (offcpu.program(CONTEXT, {}).hooks?.onNamed ?? []).map((line) => line.trim());
    const made = bodyOf().map((line) => line.trim());
    const starts = bodyOf({ allThreadsHaveEntry: false }).map((line) => line.trim());
    const noted = (key: string) => `if (@off[${key}].0 == 0) { @full["@off"] = 1; }`;
    for (const [lines, key, look] of [
      [seeds, '$named', noted('$named')],
      [made.slice(made.indexOf('$pid = $tid;')), '$tid', noted('$tid')],
      [starts, '$tid', `if ($p.0 == 0) { ${noted('$tid')} }`],
    ] as const) {
      const begun = lines.findIndex((line) => line.startsWith(`@off[${key}] = (`));
      expect(lines[begun + 1]).toBe(look);
    }
  });

  test('declares waits in progress as leftovers, and all other maps as results', () => {
    const roles = offcpu.program(CONTEXT, {}).maps.map(({ name, role }) => [name, role]);
    expect(roles).toEqual([
      ['@unseen', 'result'],
      ['@missed', 'result'],
      ['@extremes', 'result'],
      ['@waits', 'result'],
      ['@off', 'leftover'],
    ]);
  });

  test.each([
    [true, 2],
    [false, 0],
  ])('declares the stacks per entry of its maps: with stacks (%s) %i', (stacks, count) => {
    const { maps } = offcpu.program({ ...CONTEXT, stacks }, {});
    const held = maps.map((map) => (map.stacksInKey ?? 0) + (map.stacksInValue ?? 0));
    expect(held).toEqual([0, 0, 0, count, count]);
  });

  test('neither reads stacks nor puts them in keys with --no-stacks', () => {
    const body = bodyOf({ stacks: false }).join('\n');
    expect(body).not.toContain('stack');
    expect(body).toContain('@waits[$next, $w.1, $w.2, $w.3] = stats($wait);');
  });

  test('ends short waits but does not record them in any map', () => {
    const body = bodyOf({}, { min: 1_000_000 });
    const from = body.indexOf('    if ($wait >= 1000000) {');
    const inside = body.slice(from + 1, body.indexOf('    }', from));
    expect(inside.flatMap((line) => /@\w+/.exec(line)?.[0] ?? [])).toEqual([
      '@waits',
      '@extremes',
      '@extremes',
    ]);
    expect(body).toContain(
      '  @off[$next] = ($now, $w.1, $w.2, (uint64)16384, $w.4, $most, $least, $w.7, $w.8);',
    );
  });

  test('has no comparison for a threshold of 0', () => {
    expect(bodyOf().join('\n')).not.toContain('$wait >=');
  });

  test('does not begin a wait when a thread exits', () => {
    const body = bodyOf();
    const at = body.indexOf('  if ($state & 0x30) {');
    expect(body.slice(at, at + 4)).toEqual([
      '  if ($state & 0x30) {',
      '    print(("exit", $now, pid, tid, curtask->start_boottime, comm, curtask->se.sum_exec_runtime, curtask->sched_info.run_delay, $ran));',
      '    delete(@off[$tid]);',
      '  } else {',
    ]);
  });
});

describe('a thread that is switched out during its wait', () => {
  const bodyOf = (btf: boolean) =>
    offcpu
      .program({ ...CONTEXT, btf }, {})
      .clauses.flatMap((clause) => clause.body.map((line) => line.trim()));

  test('has a missed switch-in; with BTF the scheduler knows its time', () => {
    const body = bodyOf(true);
    const at = body.indexOf('if ($p.3 == 16384) {');
    expect(body.slice(at + 2, at + 6)).toEqual([
      '} else {',
      '$in = $now - (uint64)(curtask->se.sum_exec_runtime - curtask->se.prev_sum_exec_runtime);',
      'if ($in > $p.0) {',
      '$wait = (uint64)($in - $p.0);',
    ]);
    expect(body).toContain('@unseen[$tid] = @unseen[$tid] + 1;');
    expect(body).toContain('$ran = $ran + (uint64)($now - $in);');
  });

  test('is counted without BTF, unless it was named while it ran', () => {
    const body = bodyOf(false);
    const at = body.indexOf('if ($p.3 == 16384) {');
    expect(body.slice(at + 2, at + 4)).toEqual([
      '} else {',
      'if ($p.3 != 4096) { @unseen[$tid] = @unseen[$tid] + 1; }',
    ]);
    expect(body.join()).not.toMatch(/curtask/);
  });
});

describe('a thread that is switched in', () => {
  const body = offcpu
    .program(CONTEXT, {})
    .clauses.flatMap((clause) => clause.body.map((line) => line.trim()));

  test('ends its wait and starts its run', () => {
    const at = body.indexOf('if ($w.3 == 16384) {');
    expect(body.slice(at + 2, at + 4)).toEqual(['} else {', '$wait = (uint64)($now - $w.0);']);
    expect(body).toContain(
      '@off[$next] = ($now, $w.1, $w.2, (uint64)16384, $w.4, $most, $least, $w.7, $w.8);',
    );
  });

  test('has a missed switch-out if its entry is a run, which is counted', () => {
    const at = body.indexOf('if ($w.3 == 16384) {');
    expect(body[at + 1]).toBe('@missed[$next] = @missed[$next] + 1;');
  });
});

describe('a thread is followed', () => {
  const bodyOf = (allThreadsHaveEntry: boolean) =>
    offcpu.program({ ...CONTEXT, allThreadsHaveEntry, stacks: false }, {}).clauses[0]?.body ?? [];

  test('by its entry in @off, which it always has', () => {
    expect(bodyOf(true).join()).not.toContain('@gen');
    expect(bodyOf(true).slice(0, 5)).toEqual([
      '$now = nsecs;',
      '$tid = (uint64)args->prev_pid;',
      '$next = (uint64)args->next_pid;',
      '$p = @off[$tid];',
      '$w = @off[$next];',
    ]);
  });

  test('by its process if running threads are not named', () => {
    expect(bodyOf(false)).toContain('$gen = @gen[$pid];');
    expect(bodyOf(false).map((line) => line.trim())).toContain(
      '@off[$tid] = ($now, $pid, $gen, $state, $ran, $long, $short);',
    );
  });
});

describe('the longest and the shortest wait', () => {
  test('are only looked up if the entry of the thread cannot decide', () => {
    const body =
      offcpu.program({ ...CONTEXT, stacks: false }, {}).clauses[0]?.body.map((line) => line.trim()) ?? [];
    const at = body.indexOf('if ($wait > $most || $wait < $least) {');
    expect(body[at + 1]).toBe('$x = @extremes[$next, $w.1];');
    expect(body.slice(0, at).join()).not.toContain('@extremes');
  });
});

describe('after the profiler has asked for the maps', () => {
  const bodyOf = (stops: boolean) =>
    offcpu.program({ ...CONTEXT, stops }, {}).clauses.flatMap((clause) => clause.body);

  test('no wait begins or ends', () => {
    const body = bodyOf(true);
    const from = body.indexOf('if (($p.0 || $w.0) && @stopped == 0) {');
    const inside = body.slice(from + 1, body.indexOf('}', from));
    expect(inside.filter((line) => /^ {2}\S/.test(line))).toEqual([
      '  if ($w.0) {',
      '  }',
      '  if ($p.0) {',
      '  }',
    ]);
    const changes = (lines: readonly string[]) => lines.filter((line) => /@\w+\[.*\] = |delete/.test(line));
    expect(changes(body.slice(0, from))).toEqual([]);
    expect(changes(inside).length).toBeGreaterThan(5);
  });

  test('is not checked in a program without a profiler', () => {
    expect(bodyOf(false).join()).not.toContain('@stopped');
  });
});
