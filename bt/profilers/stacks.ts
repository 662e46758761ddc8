import { STOPPED } from '../program.ts';
import type { FragmentOptions } from './profiler.ts';

/**
 * The statements that save stacks. Only processes whose unwind tables bpftrace has read, and that still run that program,
 * can be unwound by them.
 *
 * @param save the statement that saves them, which are words of the program
 */
export function byEitherUnwinder(
  options: FragmentOptions,
  save: (stacks: readonly string[]) => string,
): string[] {
  if (!options.stacks || options.dwarfPids.length === 0) return [save(stackFields(options))];
  const known = options.dwarfPids.map((pid) => `pid == ${pid}`).join(' || ');
  return [
    `if (@gen[(uint64)pid] == ${options.dwarfGeneration} && (${known})) {`,
    `  ${save(stackFields(options, 'dw_ustack'))}`,
    '} else {',
    `  ${save(stackFields(options))}`,
    '}',
  ];
}

/** The fields of a key or value that hold both stacks of the running thread; none without stacks. */
export function stackFields(
  { stacks, stackMode, stackDepth }: FragmentOptions,
  user: 'ustack' | 'dw_ustack' = 'ustack',
): string[] {
  return stacks ? ['kstack', user].map((f) => `${f}(${stackMode}, ${stackDepth})`) : [];
}

export function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

/** What is printed after the end has to be what was true at the end. */
export function unlessStopped({ stops }: FragmentOptions): string {
  return stops ? ` && ${STOPPED} == 0` : '';
}

/** `\nffff..\n,\n7f..\n`: a kernel stack has no comma in it, so the first one divides. */
export function splitStacks(text: string): [string, string] {
  const comma = text.indexOf(',');
  return comma < 0 ? [text, ''] : [text.slice(0, comma), text.slice(comma + 1)];
}
