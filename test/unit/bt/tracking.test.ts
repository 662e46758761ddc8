import { describe, expect, test } from 'vitest';
import type { Clause } from '../../../bt/program.ts';
import { exitEvent, type Follow, TRACKING_TRACEPOINTS, tracking } from '../../../bt/tracking.ts';

const HELD: Follow = { kind: 'held', pid: 4711, children: true };
const NAMED: Follow = { kind: 'named', by: 42, children: true };
const ARGUMENT: Follow = { kind: 'argument', children: true };
const NOTHING_MORE = {
  ...{ onNamed: [], onCommand: [], onProgram: [], onFreed: [] },
  exitsPrinted: false,
};

function clausesOf(follow: Follow, exitsPrinted = false): Map<string, Clause> {
  const { clauses } = tracking({
    follow,
    btf: true,
    onNamed: ['named();'],
    onCommand: [],
    onFreed: ['freed();'],
    onProgram: ['program();'],
    exitsPrinted,
  });
  return new Map(clauses.map((clause) => [clause.attach, clause]));
}

function mapsOf(follow: Follow): string[] {
  return tracking({ follow, btf: true, ...NOTHING_MORE }).maps.map((map) => map.name);
}

test.each([HELD, NAMED, ARGUMENT])('maps of $kind are not printed', (follow) => {
  const { maps } = tracking({ follow, btf: true, ...NOTHING_MORE });
  expect(maps.map((map) => map.role).filter((role) => role !== 'helper')).toEqual([]);
});

test.each([HELD, NAMED, ARGUMENT])('doctor checks every tracepoint that $kind needs', (follow) => {
  for (const attach of clausesOf(follow).keys()) {
    expect(TRACKING_TRACEPOINTS.map((name) => `tracepoint:${name}`)).toContain(attach);
  }
});

describe('a held process', () => {
  const exec = clausesOf(HELD).get('tracepoint:sched:sched_process_exec');

  test('is followed from the exec that makes it the command', () => {
    expect(exec?.condition).toBe('@gen[(uint64)pid] || pid == 4711');
    expect(exec?.body.join('\n')).toContain('} else {\n  @gen[(uint64)pid] = (uint64)1;');
  });

  test.each([HELD, NAMED, ARGUMENT])('$kind: the generations are the only map', (follow) => {
    expect(mapsOf(follow)).toEqual(['@gen']);
  });

  test('does not need to be named', () => {
    expect(clausesOf(HELD).has('tracepoint:syscalls:sys_enter_kill')).toBe(false);
  });
});

describe('processes named by the profiler', () => {
  const named = clausesOf(NAMED).get('tracepoint:syscalls:sys_enter_kill');

  test('are accepted only from the profiler, and only by signal 0', () => {
    expect(named?.condition).toBe('pid == 42 && args->sig == 0');
  });

  test('run the hooks of profilers before they are followed', () => {
    expect(named?.body.slice(-6, -3)).toEqual([
      '  named();',
      '  if (@gen[$named] == 0) {',
      '    @gen[$named] = (uint64)1;',
    ]);
  });

  test('are reported if they do not fit into the map', () => {
    expect(named?.body.at(-3)).toBe('    if (@gen[$named] == 0) { @full["@gen"] = 1; }');
  });
});

test('a program that runs without btprof takes the pid from its argument', () => {
  expect(tracking({ follow: ARGUMENT, btf: true, ...NOTHING_MORE }).begin).toEqual([
    '@gen[(uint64)$1] = (uint64)1;',
  ]);
});

test('each exec of a followed process begins a new generation', () => {
  const exec = clausesOf(NAMED).get('tracepoint:sched:sched_process_exec');
  expect(exec?.condition).toBe('@gen[(uint64)pid]');
  expect(exec?.body[1]).toBe('@gen[(uint64)pid] = @gen[(uint64)pid] + 1;');
});

describe('each new program', () => {
  const exec = (follow: Follow) => clausesOf(follow).get('tracepoint:sched:sched_process_exec')?.body ?? [];

  test.each([HELD, NAMED, ARGUMENT])(
    'of $kind is printed once, followed by the lines of profilers',
    (follow) => {
      const body = exec(follow).map((line) => line.trim());
      expect(body.filter((line) => line.includes('"exec"'))).toHaveLength(1);
      const printed = body.indexOf('print(("exec", $now, pid, @gen[(uint64)pid], comm));');
      expect(body[printed + 1]).toBe('program();');
    },
  );

  test('of a held process is printed too', () => {
    expect(exec(HELD).slice(-2)).toEqual([
      'print(("exec", $now, pid, @gen[(uint64)pid], comm));',
      'program();',
    ]);
  });
});

describe('children', () => {
  test('are followed in the generation of their parent', () => {
    expect(clausesOf(NAMED).get('tracepoint:task:task_newtask')?.body).toContain(
      '  @gen[$child] = @gen[(uint64)pid];',
    );
  });

  test('are reported if they do not fit into the map', () => {
    const body = clausesOf(NAMED).get('tracepoint:task:task_newtask')?.body ?? [];
    const made = body.indexOf('  @gen[$child] = @gen[(uint64)pid];');
    expect(body[made + 1]).toBe('  if (@gen[$child] == 0) { @full["@gen"] = 1; }');
  });

  test('are processes, not threads', () => {
    const fork = clausesOf(NAMED).get('tracepoint:task:task_newtask');
    expect(fork?.condition).toBe('!(args->clone_flags & 0x10000)');
  });

  test.each([HELD, NAMED, ARGUMENT])('of $kind are not followed with --no-follow', (follow) => {
    expect(clausesOf({ ...follow, children: false }).has('tracepoint:task:task_newtask')).toBe(false);
  });
});

test('a process is forgotten when it is reaped, not when its main thread exits', () => {
  const clauses = clausesOf(HELD);
  expect(clauses.get('tracepoint:sched:sched_process_free')?.body).toEqual([
    '$gone = (uint64)args->pid;',
    'if (@gen[$gone]) {',
    '  delete(@gen[$gone]);',
    '}',
    'freed();',
  ]);
  expect(clauses.get('tracepoint:sched:sched_process_exit')?.body.join()).not.toContain('delete');
});

test('exits are printed here only if no profiler prints them', () => {
  expect(clausesOf(HELD, false).has('tracepoint:sched:sched_process_exit')).toBe(true);
  expect(clausesOf(HELD, true).has('tracepoint:sched:sched_process_exit')).toBe(false);
});

test('without BTF, an exit has no start time', () => {
  expect(exitEvent('nsecs', true)).toBe('print(("exit", nsecs, pid, tid, curtask->start_boottime, comm));');
  expect(exitEvent('nsecs', false)).toBe('print(("exit", nsecs, pid, tid, (uint64)0, comm));');
});
