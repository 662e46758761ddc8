import { expect, test } from 'vitest';
import { compatSyscallName, syscallName } from '../../../metrics/syscall-name.ts';
import { SYSCALL_TABLE } from '../../../metrics/syscall-table.ts';

test.each([
  ['x86_64', 0, 'read'],
  ['x86_64', 230, 'clock_nanosleep'],
  ['x86_64', 231, 'exit_group'],
  ['x86_64', 435, 'clone3'],
  ['aarch64', 63, 'read'],
  ['aarch64', 115, 'clock_nanosleep'],
  ['aarch64', 94, 'exit_group'],
  ['aarch64', 435, 'clone3'],
] as const)('on %s, %i is %s', (arch, nr, name) => {
  expect(syscallName(arch, nr)).toBe(name);
});

test.each([
  ['x86_64', 20, 'getpid'],
  ['x86_64', 3, 'read'],
  ['x86_64', 252, 'exit_group'],
  ['aarch64', 20, 'getpid'],
  ['aarch64', 248, 'exit_group'],
] as const)('through the 32-bit entry of %s, %i is %s', (arch, nr, name) => {
  expect(compatSyscallName(arch, nr)).toBe(name);
});

test('a call newer than the table keeps its number', () => {
  expect(syscallName('x86_64', 999)).toBe('syscall_999');
  expect(syscallName('x86_64', 1073741829)).toBe('syscall_1073741829');
  expect(compatSyscallName('aarch64', 9999)).toBe('syscall_9999');
});

test('a negative number is a skipped call', () => {
  expect(syscallName('x86_64', -1)).toBe('skipped');
  expect(compatSyscallName('x86_64', -1)).toBe('skipped');
});

test.each(['x86_64', 'aarch64'] as const)('no two numbers of %s have the same name', (arch) => {
  const names = Object.values(SYSCALL_TABLE[arch]);
  expect(names.filter((name, i) => names.indexOf(name as never) !== i)).toEqual([]);
  expect(names.length).toBeGreaterThan(300);
});
