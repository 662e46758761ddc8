import { describe, expect, test } from 'vitest';
import {
  offcpu,
  readExtremes,
  readOpenWait,
  readUnseen,
  readWait,
  threadKey,
} from '../../../../bt/profilers/offcpu.ts';
import type { FragmentOptions } from '../../../../bt/profilers/profiler.ts';

const OPTIONS: FragmentOptions = {
  stackMode: 'raw',
  losesFirstCounts: false,
  callTimes: false,
  children: true,
  held: undefined,
  dwarfPids: [],
  dwarfGeneration: 1,
  minBlockNs: 0,
  stacks: true,
  numberStacks: false,
  stackDepth: 127,
  btf: true,
  arch: 'x86_64',
  stops: false,
};
const STATS = { count: 21, average: 50117207, total: 1052461357 };
/** Stacks as they stand in keys, by version of bpftrace; values of maps have real newlines. */
const STACKS: [string, string, string][] = [
  [
    '0.17',
    String.raw`\n\tffffffff821f94c3 schedule+35\n\tffffffff8220043e do_nanosleep+94\n`,
    String.raw`\n\t7fdb5baed503 0x7fdb5baed503 ([unknown])\n`,
  ],
  ['0.23', String.raw`\\nffffffff821f94c3\\nffffffff8220043e\\n`, String.raw`\\n7fdb5baed503\\n11e1a300\\n`],
  ['0.27', String.raw`\nffffffff821f94c3\nffffffff8220043e\n`, String.raw`\n7fdb5baed503\n11e1a300\n`],
];
const KERNEL = '\nffffffff821f94c3\nffffffff8220043e\n';
const USER = '\n7fdb5baed503\n11e1a300\n';

describe('the fragment', () => {
  const bodyOf = (options: Partial<FragmentOptions> = {}) =>
    offcpu.fragment({ ...OPTIONS, ...options }).probes.flatMap((probe) => probe.body);

  test.each(['perf', 'raw'] as const)(
    'stacks are saved at switch-out, %s and as deep as asked',
    (stackMode) => {
      const saved = bodyOf({ stackMode, stackDepth: 17 }).find((line) => line.includes('@off[$tid] = '));
      expect(saved).toContain(`, kstack(${stackMode}, 17), ustack(${stackMode}, 17));`);
    },
  );

  test.each([true, false])(
    'what @off holds is known from BEGIN on, and nothing is in it: stacks %s',
    (stacks) => {
      const { begin = [] } = offcpu.fragment({ ...OPTIONS, stacks });
      const wait = bodyOf({ stacks }).find((line) => line.includes('@off[$tid] = ')) ?? '';
      expect(begin).toHaveLength(4);
      expect(begin[0]?.startsWith('@off[(uint64)0] = (')).toBe(true);
      expect(begin[0]?.split(',')).toHaveLength(wait.split(',').length);
      expect(begin[1]).toBe('delete(@off[(uint64)0]);');
    },
  );

  test('a wait for which there is no room is noted, wherever it begins', () => {
    const seeds = offcpu.onNamed(OPTIONS).map((line) => line.trim());
    const starts = bodyOf().map((line) => line.trim());
    for (const [lines, key] of [
      [seeds, '$named'],
      [starts, '$tid'],
    ] as const) {
      const begun = lines.findIndex((line) => line.startsWith(`@off[${key}] = (`));
      expect(lines[begun + 1]).toBe(`if (@off[${key}].0 == 0) { @full["@off"] = 1; }`);
    }
  });

  test('waits in progress are left over, and all else is a result', () => {
    const roles = offcpu.fragment(OPTIONS).maps.map(({ name, role }) => [name, role]);
    expect(roles).toEqual([
      ['@unseen', 'result'],
      ['@extremes', 'result'],
      ['@waits', 'result'],
      ['@off', 'leftover'],
    ]);
  });

  test.each([
    [true, 2],
    [false, 0],
  ])('with stacks (%s) its maps hold %i in an entry', (stacks, count) => {
    const { maps } = offcpu.fragment({ ...OPTIONS, stacks });
    const held = maps.map((map) => (map.stacksInKey ?? 0) + (map.stacksInValue ?? 0));
    expect(held).toEqual([0, 0, count, count]);
  });

  test('without stacks none are read, and the keys have none', () => {
    const body = bodyOf({ stacks: false }).join('\n');
    expect(body).not.toContain('stack');
    expect(body).toContain('@waits[$next, $w.1, $w.2, $w.3] = stats($wait);');
  });

  test('short waits are left out of all maps, but end', () => {
    const body = bodyOf({ minBlockNs: 1_000_000 });
    const from = body.indexOf('  if ($wait >= 1000000) {');
    const inside = body.slice(from + 1, body.indexOf('  }', from));
    expect(inside.flatMap((line) => /@\w+/.exec(line)?.[0] ?? [])).toEqual([
      '@waits',
      ...Array(4).fill('@extremes'),
    ]);
    expect(body).toContain('  delete(@off[$next]);');
  });

  test('a threshold of 0 tests nothing', () => {
    expect(bodyOf().join('\n')).not.toContain('$wait >=');
  });

  test('a thread that leaves for ever begins no wait', () => {
    const body = bodyOf();
    const at = body.indexOf('  if ($state & 0x30) {');
    expect(body.slice(at, at + 3)).toEqual([
      '  if ($state & 0x30) {',
      '    print(("exit", $now, pid, tid, curtask->start_boottime, comm, curtask->se.sum_exec_runtime, curtask->sched_info.run_delay));',
      '  } else {',
    ]);
  });
});

describe('a thread that goes out while its wait is on', () => {
  const bodyOf = (btf: boolean) =>
    offcpu.fragment({ ...OPTIONS, btf }).probes.flatMap((probe) => probe.body.map((line) => line.trim()));

  test('came in unseen: with BTF the scheduler says when', () => {
    const body = bodyOf(true);
    const at = body.indexOf('$p = @off[$tid];');
    expect(body.slice(at + 2, at + 5)).toEqual([
      '$in = $now - (uint64)(curtask->se.sum_exec_runtime - curtask->se.prev_sum_exec_runtime);',
      'if ($in > $p.0) {',
      '$wait = (uint64)($in - $p.0);',
    ]);
    expect(body).toContain('@unseen[$tid] = @unseen[$tid] + 1;');
  });

  test('is counted without BTF, unless it was named while it ran', () => {
    const body = bodyOf(false);
    const at = body.indexOf('$p = @off[$tid];');
    expect(body.slice(at + 2, at + 4)).toEqual(['if ($p.3 != 4096) {', '@unseen[$tid] = @unseen[$tid] + 1;']);
    expect(body.join()).not.toMatch(/curtask/);
  });
});

describe('a new thread', () => {
  const probeOf = (options: Partial<FragmentOptions> = {}) =>
    offcpu
      .fragment({ ...OPTIONS, ...options })
      .probes.find((probe) => probe.attach === 'tracepoint:task:task_newtask');

  test('waits for its first CPU from the moment on at which it is made', () => {
    expect(probeOf()?.predicate).toBe('@gen[(uint64)pid]');
    expect(probeOf({ stacks: false })?.body).toContain(
      '@off[$tid] = ($now, $pid, @gen[(uint64)pid], (uint64)8192);',
    );
  });

  test('of another process is followed with children only', () => {
    expect(probeOf({ children: false })?.predicate).toBe(
      '@gen[(uint64)pid] && (args->clone_flags & 0x10000)',
    );
  });

  test('begins no wait once the profiler has asked for the maps', () => {
    expect(probeOf({ stops: true })?.predicate).toBe('@gen[(uint64)pid] && @stopped == 0');
  });

  test('waits without a stack, for that is of who made it, and is ready', () => {
    const none = { state: 'R', sinceStart: false, made: true, kernel: '', user: '' };
    expect(readWait({ key: `8,7,1,8192,${KERNEL},${USER}`, value: STATS })).toMatchObject(none);
    expect(readOpenWait({ key: '8', value: [5, 7, 1, 8192, KERNEL, USER] })).toMatchObject(none);
  });
});

describe('the held process', () => {
  const bodyOf = (options: Partial<FragmentOptions>) =>
    offcpu.fragment({ ...OPTIONS, ...options }).probes.flatMap((probe) => probe.body);

  test('is seen to come in, so that what it used before it became the command is known', () => {
    expect(bodyOf({ held: 4711 })).toContain('if ($next == 4711) { @arrived = $now; }');
    expect(offcpu.onCommand({ ...OPTIONS, held: 4711 }).join()).toContain('"began"');
  });

  test.each([{ held: undefined }, { held: 4711, btf: false }])('is not looked at with %j', (options) => {
    expect(bodyOf(options).join()).not.toContain('@arrived');
    expect(offcpu.onCommand({ ...OPTIONS, ...options })).toEqual([]);
  });
});

test.each([
  [{ key: '4711', value: 2 }, 2],
  [{ key: '4711', value: '2' }, 2],
  [{ key: '4711', value: '9007199254740993' }, 2 ** 53],
  [{ key: '4711', value: undefined }, undefined],
  [{ key: 'x', value: 2 }, undefined],
  [{ key: '12345678901', value: 2 }, undefined],
])('an entry of @unseen %j is %s', (entry, count) => {
  expect(readUnseen(entry)).toBe(count);
});

describe('once the profiler has asked for the maps', () => {
  const bodyOf = (stops: boolean) =>
    offcpu.fragment({ ...OPTIONS, stops }).probes.flatMap((probe) => probe.body);

  test('no wait ends or begins any more', () => {
    const body = bodyOf(true);
    const from = body.indexOf('if (($gen || $w.0) && @stopped == 0) {');
    const inside = body.slice(from + 1, body.indexOf('}', from));
    expect(inside.filter((line) => /^ {2}\S/.test(line))).toEqual([
      '  if ($w.0) {',
      '  }',
      '  if ($gen) {',
      '  }',
    ]);
    const changes = (lines: readonly string[]) => lines.filter((line) => /@\w+\[.*\] = |delete/.test(line));
    expect(changes(body.slice(0, from))).toEqual([]);
    expect(changes(inside).length).toBeGreaterThan(5);
  });

  test('a program without a profiler does not ask', () => {
    expect(bodyOf(false).join()).not.toContain('@stopped');
  });
});

describe('a row of @waits', () => {
  test.each(STACKS)('has both stacks as bpftrace %s prints them', (_, kernel, user) => {
    const key = `27083,27083,1,1,${kernel},${user}`;
    expect(readWait({ key, value: STATS })).toEqual({
      pid: 27083,
      tid: 27083,
      generation: 1,
      state: 'S',
      sinceStart: false,
      made: false,
      count: 21,
      totalNs: 1052461357,
      kernel,
      user,
    });
  });

  test('the thread comes before the process in the key', () => {
    expect(readWait({ key: '21098,21008,7,1', value: STATS })).toMatchObject({ tid: 21098, pid: 21008 });
  });

  test.each([
    ['the user side', `1,1,1,1,${KERNEL},`, KERNEL, ''],
    ['the kernel side', `1,1,1,1,,${USER}`, '', USER],
    ['both sides', '1,1,1,1,,', '', ''],
    ['both sides, where the kernel kept none', '1,1,1,1,', '', ''],
    ['everything, as of --no-stacks', '1,1,1,1', '', ''],
  ])('stacks empty on %s', (_, key, kernel, user) => {
    expect(readWait({ key, value: STATS })).toMatchObject({ kernel, user });
  });

  test('a sum of nothing is none', () => {
    expect(readWait({ key: '1,1,1,1', value: { count: 0, average: 0, total: 7 } })).toBeUndefined();
  });

  test('commas in user frames do not move the border between the stacks', () => {
    const user = String.raw`\n\t7f0000001000 f(int, char)+7 (/opt/a,b/lib.so)\n`;
    expect(readWait({ key: `1,1,1,1,${KERNEL},${user}`, value: STATS })).toMatchObject({
      kernel: KERNEL,
      user,
    });
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
      made: false,
    });
  });

  test('a wait that was on at the start has no stack: the one printed is that of whoever named it', () => {
    expect(readWait({ key: `27083,27083,1,4096,${KERNEL},${USER}`, value: STATS })).toMatchObject({
      state: '?',
      sinceStart: true,
      made: false,
      kernel: '',
      user: '',
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
    '27083,27083,1,12345678901234567',
    '12345678901,27083,1,1',
  ])('the key %j cannot be read', (key) => {
    expect(readWait({ key, value: STATS })).toBeUndefined();
  });

  test('past 2^53 its numbers may be in quotes', () => {
    const value = { count: 2, average: '9007199254740993', total: '18014398509481986' };
    expect(readWait({ key: '1,1,1,1', value })).toMatchObject({ count: 2, totalNs: 2 ** 54 });
  });

  test.each([undefined, null, 7, [], {}, { count: 1 }, { count: '1f', total: 2 }, { count: 1, total: -2 }])(
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
      made: false,
      sinceNs: 3952039677170,
      kernel: KERNEL,
      user: USER,
    });
  });

  test('without stacks', () => {
    expect(readOpenWait({ key: '27084', value: [3952039677170, 27083, 1, 2] })).toMatchObject({
      tid: 27084,
      pid: 27083,
      state: 'D',
      kernel: '',
      user: '',
    });
  });

  test('one that was named drops the stacks of who named it', () => {
    expect(
      readOpenWait({ key: '26938', value: [3947808823425, 26938, 1, 4096, KERNEL, USER] }),
    ).toMatchObject({
      sinceStart: true,
      made: false,
      state: '?',
      kernel: '',
      user: '',
    });
  });

  test('of a clock past 2^53, in quotes', () => {
    expect(readOpenWait({ key: '10', value: ['9007199254740993', 10, 1, 128, KERNEL, ''] })).toMatchObject({
      sinceNs: 2 ** 53,
      pid: 10,
      kernel: KERNEL,
    });
  });

  test.each([
    ['', [1, 1, 1, 1]],
    ['a', [1, 1, 1, 1]],
    ['1,1', [1, 1, 1, 1]],
    ['12345678901', [1, 1, 1, 1]],
    ['1', [1, 1, 1]],
    ['1', ['x', 1, 1, 1]],
    ['1', [-1, 1, 1, 1]],
    ['1', undefined],
    ['1', [1, 1, 1, 1, 5]],
    ['1', { since: 1 }],
    ['1', null],
  ])('%j: %j cannot be read', (key, value) => {
    expect(readOpenWait({ key, value })).toBeUndefined();
  });
});

describe('an entry of @extremes', () => {
  test('thread, process, longest and shortest', () => {
    expect(readExtremes({ key: '21098,21008', value: [20065187, 4] })).toEqual({
      tid: 21098,
      pid: 21008,
      longestNs: 20065187,
      shortestNs: 4,
    });
  });

  test('past 2^53 in quotes', () => {
    expect(readExtremes({ key: '21098,21008', value: ['9007199254740993', 1] })?.longestNs).toBe(2 ** 53);
  });

  test.each([
    ['21098', [5, 5]],
    ['21098,21008,7', [5, 5]],
    ['-1,21008', [5, 5]],
    ['21098,12345678901', [5, 5]],
    ['21098,21008', ['5f', 5]],
    ['21098,21008', [5, -5]],
    ['21098,21008', [5]],
    ['21098,21008', [5, 5, 5]],
    ['21098,21008', 5],
    ['21098,21008', undefined],
    ['21098,21008', null],
  ])('%j: %j cannot be read', (key, value) => {
    expect(readExtremes({ key, value })).toBeUndefined();
  });
});

test('a thread is named PID:TID', () => {
  expect(threadKey(21008, 21098)).toBe('21008:21098');
});
