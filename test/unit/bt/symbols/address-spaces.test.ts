import { describe, expect, test } from 'vitest';
import { type Execution, newSpaceStore } from '../../../../bt/symbols/address-spaces.ts';
import { newObjectFiles } from '../../../../bt/symbols/object-files.ts';

const ENDED = 3;

/** Holds up to 10 mappings. All programs are running, except that of process ENDED. */
function newStore() {
  const store = newSpaceStore(newObjectFiles(), ({ pid }) => pid !== ENDED, 10);
  const add = (pid: number, count: number) => {
    for (let i = 1; i <= count; i++) store.add(pid, 1, mappingAt(i * 0x1000));
  };
  const sizes = () => Object.fromEntries([...store.spaces()].map(([key, { length }]) => [key, length]));
  return { ...store, add, sizes };
}

function mappingAt(start: number) {
  return { start: BigInt(start), end: BigInt(start + 0x1000), fileOffset: 0n, file: '00:00 0', path: '' };
}

const program = (pid: number): Execution => ({ pid, generation: 1 });

test('mappings of ended programs are discarded first, then the oldest', () => {
  const store = newStore();
  for (const pid of [1, 2, ENDED]) store.add(pid, 3);
  store.add(4, 3);
  expect(store.sizes()).toEqual({ '1:1': 3, '2:1': 3, '4:1': 3 });
  store.add(5, 5);
  expect(store.sizes()).toEqual({ '4:1': 3, '5:1': 5 });
  expect(store.forgotten()).toBe(3);
});

test('repeated forks do not add mappings without limit', () => {
  const store = newStore();
  store.add(1, 4);
  for (let pid = 10; pid < 100; pid++) store.inherit(program(pid === 10 ? 1 : pid - 1), program(pid));
  expect(store.sizes()).toEqual({ '98:1': 4, '99:1': 4 });
});

test('mappings at the same address count once', () => {
  const store = newStore();
  for (const pid of [1, 2]) for (let turn = 0; turn < 7; turn++) store.add(pid, 5);
  expect(store.sizes()).toEqual({ '1:1': 5, '2:1': 5 });
  expect(store.forgotten()).toBe(0);
});

describe('addresses at which a program had several files in turn', () => {
  const row = (start: number, end: number, file: string, path: string) => ({
    ...{ start: BigInt(start), end: BigInt(end), fileOffset: 0n, file, path },
  });
  const listOf = (...rows: ReturnType<typeof row>[]) => {
    const store = newSpaceStore(newObjectFiles(), () => true);
    for (const each of rows) store.add(1, 1, each);
    const list = store.spaces().get('1:1') ?? [];
    return list.map(({ start, end, path }) => `${start.toString(16)}-${end.toString(16)} ${path}`);
  };
  const FIRST = row(0x1000, 0x4000, '00:01 1', '/first.so');

  test('belong to none of them', () => {
    expect(listOf(FIRST, row(0x2000, 0x6000, '00:01 2', '/second.so'))).toEqual([
      '2000-4000 [several files]',
      '2000-6000 /second.so',
      '1000-4000 /first.so',
    ]);
  });

  test('are found if both begin at the same address, but not in a process that is forked later', () => {
    const store = newSpaceStore(newObjectFiles(), () => true);
    const second = row(0x1000, 0x6000, '00:01 2', '/second.so');
    for (const each of [FIRST, second, second]) store.add(1, 1, each); // maps are read again and again
    store.inherit(program(1), program(2));
    const paths = (space: string) =>
      store
        .spaces()
        .get(space)
        ?.map(({ path }) => path);
    expect([paths('1:1'), paths('2:1')]).toEqual([['[several files]', '/second.so'], ['/second.so']]);
  });

  test('include those of memory without a file', () => {
    expect(listOf(FIRST, row(0x2000, 0x3000, '00:00 0', ''))[0]).toBe('2000-3000 [several files]');
  });

  test.each([
    ['parts of the same file', row(0x2000, 0x3000, '00:01 1', '/first.so')],
    ['the same path, because its file may have two keys', row(0x2000, 0x3000, '00:02 9', '/first.so')],
    ['a file whose path is not known', row(0x2000, 0x3000, '00:01 2', '')],
    ['other addresses', row(0x4000, 0x5000, '00:01 2', '/second.so')],
  ])('are not %s', (_, other) => {
    expect(listOf(FIRST, other).join()).not.toContain('several');
  });

  test('are those of a file that was overwritten while it was mapped', () => {
    expect(listOf(FIRST, { ...FIRST, file: '00:01@2 1' })[0]).toBe('1000-4000 [several files]');
  });
});
