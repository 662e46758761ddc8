import { expect, test } from 'vitest';
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
