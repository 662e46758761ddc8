/** Kernel maps that belong to no profiler and that are read back: the writer of programs and the reader share their names. */

/** The map in which the program reports full maps, by name. */
export const FULL_MAP = '@full';

/** Maps that hold each stack once, where other maps hold its number: the key is the number, the value the stack. */
export const STACK_MAPS = { kernel: '@kernel_stacks', user: '@user_stacks' } as const;
