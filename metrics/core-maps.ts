/** Names of the BPF maps that belong to no profiler, shared by the writer of programs and the reader. */

/** The map in which the program records which maps were full. */
export const FULL_MAP = '@full';

/** Maps that hold each stack once, where other maps hold its number: the key is the number, the value the stack. */
export const STACK_MAPS = { kernel: '@kernel_stacks', user: '@user_stacks' } as const;
