import { describe, expect, test } from 'vitest';
import { dialectFor } from '../../../../bt/dialect.ts';
import {
  offcpu,
  readExtreme,
  readOpenWait,
  readUnseen,
  readWait,
  threadKey,
} from '../../../../bt/profilers/offcpu.ts';
import type { FragmentOptions } from '../../../../bt/profilers/profiler.ts';

const OPTIONS: FragmentOptions = {
  dialect: dialectFor('bpftrace v0.17.0'),
  minBlockNs: 0,
  stacks: true,
  stackDepth: 127,
  btf: true,
  arch: 'x86_64',
  stops: false,
};
const STATS = { count: 21, average: 50117207, total: 1052461357 };
const KERNEL = '\n\tffffffff821f94c3 schedule+35\n\tffffffff8220043e do_nanosleep+94\n';
const USER = '\n\t7fdb5baed503 0x7fdb5baed503 ([unknown])\n';
const KERNEL_FRAMES = [
  { address: '0xffffffff821f94c3', symbol: 'schedule', offset: 35 },
  { address: '0xffffffff8220043e', symbol: 'do_nanosleep', offset: 94 },
];

describe('the fragment', () => {
  const bodyOf = (options: Partial<FragmentOptions> = {}) =>
    offcpu.fragment({ ...OPTIONS, ...options }).probes.flatMap((probe) => probe.body);

  test('stacks are saved at switch-out with the depth asked for', () => {
    expect(bodyOf({ stackDepth: 17 }).join('\n')).toMatch(
      /@off\[tid\] = .*kstack\(perf, 17\), ustack\(perf, 17\)\)/,
    );
  });

  test('without stacks none are read, and the keys have none', () => {
    const body = bodyOf({ stacks: false }).join('\n');
    expect(body).not.toContain('stack');
    expect(body).toContain('@waits[args->next_pid, $w.1, $w.2, $w.3] = stats($wait);');
  });

  test('short waits are left out of all maps, but end', () => {
    const body = bodyOf({ minBlockNs: 1_000_000 });
    const from = body.indexOf('  if ($wait >= 1000000) {');
    const inside = body.slice(from + 1, body.indexOf('  }', from));
    expect(inside.map((line) => /@\w+/.exec(line)?.[0])).toEqual(['@waits', '@longest', '@shortest']);
    expect(body).toContain('  delete(@off[args->next_pid]);');
  });

  test('a threshold of 0 tests nothing', () => {
    expect(bodyOf().join('\n')).not.toContain('$wait >=');
  });

  test('a thread that leaves for ever begins no wait', () => {
    expect(bodyOf().slice(-6, -3)).toEqual([
      '  if (args->prev_state & 0x30) {',
      '    print(("exit", nsecs, pid, tid, curtask->start_boottime, comm));',
      '  } else {',
    ]);
  });
});

describe('a thread that goes out while its wait is on', () => {
  const bodyOf = (btf: boolean) =>
    offcpu.fragment({ ...OPTIONS, btf }).probes.flatMap((probe) => probe.body.map((line) => line.trim()));

  test('came in unseen: with BTF the scheduler says when', () => {
    const body = bodyOf(true);
    const at = body.indexOf('$p = @off[tid];');
    expect(body.slice(at + 2, at + 5)).toEqual([
      '$in = $now - (uint64)(curtask->se.sum_exec_runtime - curtask->se.prev_sum_exec_runtime);',
      'if ($in > $p.0) {',
      '$wait = $in - $p.0;',
    ]);
    expect(body).toContain('@unseen[pid] = count();');
  });

  test('is counted without BTF, unless it was named while it ran', () => {
    const body = bodyOf(false);
    const at = body.indexOf('$p = @off[tid];');
    expect(body.slice(at + 2, at + 4)).toEqual(['if ($p.3 != 4096) {', '@unseen[pid] = count();']);
    expect(body.join()).not.toMatch(/curtask/);
  });
});

test.each([
  [{ key: '4711', value: 2 }, 2],
  [{ key: '4711', value: '2' }, undefined],
  [{ key: 'x', value: 2 }, undefined],
])('an entry of @unseen %j is %s', (entry, count) => {
  expect(readUnseen(entry)).toBe(count);
});

describe('once the profiler has asked for the maps', () => {
  const bodyOf = (stops: boolean) =>
    offcpu.fragment({ ...OPTIONS, stops }).probes.flatMap((probe) => probe.body);

  test('no wait ends or begins any more', () => {
    const conditions = bodyOf(true).filter((line) => line.startsWith('if '));
    expect(conditions).toEqual(['if ($w.0 && @stopped == 0) {', 'if (@gen[pid] && @stopped == 0) {']);
  });

  test('a program without a profiler does not ask', () => {
    expect(bodyOf(false).join()).not.toContain('@stopped');
  });
});

describe('a row of @waits', () => {
  test('with both stacks', () => {
    expect(readWait({ key: `27083,27083,1,1,${KERNEL},${USER}`, value: STATS })).toEqual({
      pid: 27083,
      tid: 27083,
      generation: 1,
      state: 'S',
      sinceStart: false,
      count: 21,
      totalNs: 1052461357,
      kernel: KERNEL_FRAMES,
      user: [{ address: '0x7fdb5baed503' }],
    });
  });

  test('the thread comes before the process in the key', () => {
    expect(readWait({ key: '21098,21008,7,1', value: STATS })).toMatchObject({ tid: 21098, pid: 21008 });
  });

  test.each([
    ['the user side', `1,1,1,1,${KERNEL},`, 2, 0],
    ['the kernel side', `1,1,1,1,,${USER}`, 0, 1],
    ['both sides', '1,1,1,1,,', 0, 0],
    ['everything, as of --no-stacks', '1,1,1,1', 0, 0],
  ])('stacks empty on %s', (_, key, kernel, user) => {
    const row = readWait({ key, value: STATS });
    expect(row?.kernel).toHaveLength(kernel);
    expect(row?.user).toHaveLength(user);
  });

  test('commas in user frames do not move the border between the stacks', () => {
    const user = '\n\t7f0000001000 f(int, char)+7 (/opt/a,b/lib.so)\n';
    const row = readWait({ key: `1,1,1,1,${KERNEL},${user}`, value: STATS });
    expect(row?.kernel).toEqual(KERNEL_FRAMES);
    expect(row?.user).toEqual([
      { address: '0x7f0000001000', symbol: 'f(int, char)', offset: 7, module: '/opt/a,b/lib.so' },
    ]);
  });

  test.each([
    [0, 'R'],
    [0x100, 'R'],
    [1, 'S'],
    [2, 'D'],
    [4, 'T'],
    [8, 't'],
    [0x10, 'X'],
    [0x20, 'Z'],
    [0x40, 'P'],
    [0x80, 'I'],
    [0x402, 'D'],
    [0x8000, '?'],
  ])('state %i is %s', (state, letter) => {
    expect(readWait({ key: `1,1,1,${state}`, value: STATS })).toMatchObject({
      state: letter,
      sinceStart: false,
    });
  });

  test('a wait that was on at the start has no stack: the one printed is that of whoever named it', () => {
    expect(readWait({ key: `27083,27083,1,4096,${KERNEL},${USER}`, value: STATS })).toMatchObject({
      state: '?',
      sinceStart: true,
      kernel: [],
      user: [],
    });
  });

  test.each([
    '',
    '27083',
    '27083,27083,1',
    '27083,27083,1,',
    '27083,27083,1,S',
    '-1,27083,1,1',
    ',,,',
    '27083,27083,1,1;',
  ])('the key %j cannot be read', (key) => {
    expect(readWait({ key, value: STATS })).toBeUndefined();
  });

  test.each([null, 7, [], {}, { count: 1 }, { count: '1', total: 2 }])(
    'the value %j cannot be read',
    (value) => {
      expect(readWait({ key: '1,1,1,1', value })).toBeUndefined();
    },
  );
});

describe('an entry of @off', () => {
  test('with stacks', () => {
    expect(readOpenWait({ key: '27083', value: [3952039677170, 27083, 1, 1, KERNEL, USER] })).toEqual({
      tid: 27083,
      pid: 27083,
      generation: 1,
      state: 'S',
      sinceStart: false,
      sinceNs: 3952039677170,
      kernel: KERNEL_FRAMES,
      user: [{ address: '0x7fdb5baed503' }],
    });
  });

  test('without stacks', () => {
    expect(readOpenWait({ key: '27084', value: [3952039677170, 27083, 1, 2] })).toMatchObject({
      tid: 27084,
      pid: 27083,
      state: 'D',
      kernel: [],
      user: [],
    });
  });

  test('one that was named drops the stacks of who named it', () => {
    expect(
      readOpenWait({ key: '26938', value: [3947808823425, 26938, 1, 4096, KERNEL, USER] }),
    ).toMatchObject({
      sinceStart: true,
      state: '?',
      kernel: [],
      user: [],
    });
  });

  test.each([
    ['', [1, 1, 1, 1]],
    ['a', [1, 1, 1, 1]],
    ['1,1', [1, 1, 1, 1]],
    ['1', [1, 1, 1]],
    ['1', ['1', 1, 1, 1]],
    ['1', [1, 1, 1, 1, 5]],
    ['1', { since: 1 }],
    ['1', null],
  ])('%j: %j cannot be read', (key, value) => {
    expect(readOpenWait({ key, value })).toBeUndefined();
  });
});

describe('an entry of @longest or @shortest', () => {
  test('thread, process and time', () => {
    expect(readExtreme({ key: '21098,21008', value: 20065187 })).toEqual({
      tid: 21098,
      pid: 21008,
      ns: 20065187,
    });
  });

  test.each([
    ['21098', 5],
    ['21098,21008,7', 5],
    ['-1,21008', 5],
    ['21098,21008', '5'],
    ['21098,21008', null],
  ])('%j: %j cannot be read', (key, value) => {
    expect(readExtreme({ key, value })).toBeUndefined();
  });
});

test('a thread is named PID:TID', () => {
  expect(threadKey(21008, 21098)).toBe('21008:21098');
});
