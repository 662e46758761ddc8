import { describe, expect, test } from 'vitest';
import { offcpu } from '../../../../../bt/profilers/offcpu/offcpu.ts';
import type { ProgramContext } from '../../../../../bt/profilers/profiler.ts';
import { CONTEXT } from '../program-context.ts';

describe('a new thread', () => {
  const clauseOf = (options: Partial<ProgramContext> = {}) =>
    offcpu
      .program({ ...CONTEXT, ...options }, {})
      .clauses.find((clause) => clause.attach === 'tracepoint:task:task_newtask');

  test('waits for its first CPU from its creation', () => {
    expect(clauseOf()?.body).toContain('if (@gen[(uint64)pid]) {');
    expect(clauseOf({ stacks: false })?.body).toContain(
      '  @off[$tid] = ($now, $pid, @gen[(uint64)pid], (uint64)8192, (uint64)0, (uint64)0, (uint64)0);',
    );
  });

  test('of another process is followed only with children', () => {
    expect(clauseOf({ children: false })?.body).toContain(
      'if (@gen[(uint64)pid] && (args->clone_flags & 0x10000)) {',
    );
  });

  test('that is not followed removes an old entry of its number', () => {
    expect(clauseOf()?.body.slice(-3)).toEqual(['} else if (@off[$tid].0) {', '  delete(@off[$tid]);', '}']);
  });

  test('begins no wait after the profiler has asked for the maps', () => {
    expect(clauseOf({ stops: true })?.condition).toBe('@stopped == 0');
  });

  test('has its exit printed even if it did not fit into the map', () => {
    const exits = (allThreadsHaveEntry: boolean) =>
      offcpu
        .program({ ...CONTEXT, allThreadsHaveEntry }, {})
        .clauses.filter((clause) => clause.attach === 'tracepoint:sched:sched_process_exit');
    const body = exits(true).flatMap((clause) => clause.body.map((line) => line.trim()));
    expect(body.filter((line) => line.startsWith('if'))).toEqual([
      'if (@off[$tid].0 == 0) {',
      expect.stringMatching(/^if \(@off\[\$tid\]\.0 == 0\) \{ print\(\("exit", .*run_delay\)\); \}$/),
    ]);
    expect(body).toContainEqual(expect.stringMatching(/^@off\[\$tid\] = \(\$now, .*, \(uint64\)16384, /));
    expect(exits(false)).toEqual([]);
  });
});

describe('a new program', () => {
  const hookOf = (changes: Partial<ProgramContext>) =>
    (offcpu.program({ ...CONTEXT, stacks: false, ...changes }, {}).hooks?.onProgram ?? []).map((line) =>
      line.trim(),
    );

  test('updates the generation in the entry of its thread', () => {
    const lines = hookOf({});
    const at = lines.indexOf('if ($old == (uint64)pid && $r.0) {');
    expect(lines.slice(at + 1, at + 3)).toEqual([
      '@off[$old] = ($now, $r.1, @gen[(uint64)pid], (uint64)16384, $ran, $r.5, $r.6);',
      '} else {',
    ]);
    expect(hookOf({ allThreadsHaveEntry: false })).not.toContain('if ($old == (uint64)pid && $r.0) {');
  });

  test('ends the run of its thread, and adds its time if the switch-in was seen', () => {
    const lines = hookOf({});
    const at = lines.indexOf('if ($r.3 == 16384 || $r.3 == 4096) {');
    expect(lines.slice(at + 1, at + 4)).toEqual([
      '$ran = $ran + (uint64)($now - $r.0);',
      '} else {',
      '@missed[$old] = @missed[$old] + 1;',
    ]);
  });

  test.each([true, false])(
    'gives the thread that starts it the number of its process: %s',
    (allThreadsHaveEntry) => {
      const lines = hookOf({ allThreadsHaveEntry });
      const at = lines.findIndex((line) => line.startsWith('print(("renamed", $now, pid, $old, $ran, '));
      expect(lines[at + 1]).toBe('if ($r.0) { delete(@off[$old]); }');
      expect(lines.slice(at + 2).find((line) => line.includes('@off'))).toBe(
        '@off[(uint64)pid] = ($now, (uint64)pid, @gen[(uint64)pid], (uint64)16384, (uint64)0, (uint64)0, (uint64)0);',
      );
    },
  );

  test('changes nothing after the profiler has asked for the maps', () => {
    expect(hookOf({ stops: true }).slice(0, 2)).toEqual([
      '$old = (uint64)args->old_pid;',
      'if (@stopped == 0) {',
    ]);
  });
});

describe('the held process', () => {
  const bodyOf = (options: Partial<ProgramContext>) =>
    offcpu.program({ ...CONTEXT, ...options }, {}).clauses.flatMap((clause) => clause.body);

  test('records its switch-in, so that its CPU time before the command is known', () => {
    expect(bodyOf({ held: 4711 })).toContain('if ($next == 4711) { @arrived = $now; }');
    expect(offcpu.program({ ...CONTEXT, held: 4711 }, {}).hooks?.onCommand?.join()).toContain('"began"');
  });

  test.each([{ held: undefined }, { held: 4711, btf: false }])('is not recorded with %j', (options) => {
    expect(bodyOf(options).join()).not.toContain('@arrived');
    expect(offcpu.program({ ...CONTEXT, ...options }, {}).hooks?.onCommand?.join()).not.toContain('"began"');
  });

  test('runs from the moment at which it becomes the command', () => {
    const { onCommand = [] } = offcpu.program({ ...CONTEXT, held: 4711, stacks: false }, {}).hooks ?? {};
    expect(onCommand.at(-1)).toBe(
      '@off[(uint64)pid] = ($now, (uint64)pid, (uint64)1, (uint64)16384, (uint64)0, (uint64)0, (uint64)0);',
    );
  });
});
