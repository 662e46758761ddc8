import { describe, expect, test } from 'vitest';
import type { ProgramContext } from '../../../../../bt/profilers/profiler.ts';
import { calls } from '../../../../../bt/profilers/syscalls/call-maps.ts';
import { syscalls } from '../../../../../bt/profilers/syscalls/syscalls.ts';
import { readRows } from '../../read-context.ts';
import { CONTEXT } from '../program-context.ts';

describe('the program fragment', () => {
  type Changes = Pick<ProgramContext, 'btf' | 'arch'> & Partial<ProgramContext>;
  const fragmentOf = (options: Changes) => syscalls.program({ ...CONTEXT, seccomp: false, ...options }, {});
  /** The statements for a followed process. */
  const bodyOf = (options: Changes) => {
    const [pid, followed, ...body] = fragmentOf(options).clauses.flatMap((clause) => clause.body);
    expect([pid, followed, body.pop()]).toEqual(['$pid = (uint64)pid;', 'if (@gen[$pid]) {', '}']);
    return body.map((line) => line.trim());
  };

  test('uses the call number unchanged without BTF', () => {
    expect(bodyOf({ btf: false, arch: 'x86_64' })).toEqual([
      '$id = args->id;',
      '@calls[$pid, $id] = count();',
    ]);
  });

  test('adds a 0 first if simultaneous first counts may collide', () => {
    const body = bodyOf({ btf: false, arch: 'x86_64', losesFirstCounts: true });
    const place = '@calls[$pid, $id]';
    expect(body).toEqual(['$id = args->id;', `${place} = sum(0);`, `${place} = sum(1);`]);
  });

  test.each([
    ['x86_64', 'thread_info.status'],
    ['aarch64', 'thread_info.flags'],
  ] as const)('recognises 32-bit calls with BTF on %s by %s', (arch, field) => {
    expect(bodyOf({ btf: true, arch })[0]).toContain(`curtask->${field}`);
  });
});

/** Keys printed by bpftrace 0.17 for 3 × syscall(-1), `int $0x80` with −1 and 20, and an x32 number. */
test.each([
  ['26857,230', { pid: 26857, call: { nr: 230, compat: false } }],
  ['26857,0', { pid: 26857, call: { nr: 0, compat: false } }],
  ['30245,-1', { pid: 30245, call: { nr: -1, compat: false } }],
  ['30245,-2147483643', { pid: 30245, call: { nr: -2147483643, compat: false } }],
  ['30245,1073741829', { pid: 30245, call: { nr: 1073741829, compat: false } }],
  ['30312,4294967316', { pid: 30312, call: { nr: 20, compat: true } }],
  ['30245,4294967295', { pid: 30245, call: { nr: -1, compat: true } }],
  ['30245,2147483647', { pid: 30245, call: { nr: 2147483647, compat: false } }],
  ['30245,2147483648', { pid: 30245, call: { nr: -2147483648, compat: true } }],
])('%s', (key, row) => {
  expect(readRows(calls, [{ key, value: 7 }]).rows).toEqual([{ ...row, count: 7 }]);
});

test('a count of 0 is not a row', () => {
  expect(readRows(calls, [{ key: '26857,230', value: 0 }])).toEqual({ rows: [], unreadable: 0 });
});

/** Since 0.24, numbers past 2^53 are quoted. */
test.each([
  [JSON.parse('9007199254740993'), 2 ** 53],
  ['9007199254740993', 2 ** 53],
  ['1', 1],
])('the count %j is %d', (value, count) => {
  expect(readRows(calls, [{ key: '26857,230', value }]).rows).toMatchObject([{ count }]);
});

test.each([
  ['', 1],
  ['26857', 1],
  ['26857,', 1],
  ['26857,read', 1],
  ['-1,230', 1],
  ['26857,230,1', 1],
  ['12345678901,230', 1],
  ['26857,12345678901', 1],
  ['26857, 230', 1],
  ['26857,230', '1f'],
  ['26857,230', -1],
  ['26857,230', undefined],
  ['26857,230', null],
  ['26857,230', { count: 1 }],
])('%j: %j cannot be read', (key, value) => {
  expect(readRows(calls, [{ key, value }])).toEqual({ rows: [], unreadable: 1 });
});
