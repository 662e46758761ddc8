import { STACK_MAPS } from '../metrics/core-maps.ts';
import type { ProgramContext } from './profilers/profiler.ts';
import { type Fragment, fullFlag, indent, reportFull } from './program.ts';

/**
 * The statements that save both stacks of the running thread.
 *
 * @param save makes the statements that use the expressions for both stacks
 */
export function saveStacks(
  options: ProgramContext,
  save: (stacks: readonly string[]) => readonly string[],
): readonly string[] {
  if (!options.numberStacks)
    return byEitherUnwinder(options, (unwinder) => save(stackFields(options, unwinder)));
  return [
    // A variable exists only in the block that sets it first.
    '$kernel = (uint64)0;',
    '$user = (uint64)0;',
    ...numberByLength('kernel', 'kstack', options),
    ...byEitherUnwinder(options, (unwinder) =>
      // Reading a stack twice is expensive if it is unwound by tables.
      unwinder === 'ustack' ? numberByLength('user', unwinder, options) : numberOf('user', unwinder, options),
    ),
    ...save(['$kernel', '$user']),
  ];
}

type StackSource = 'ustack' | 'dw_ustack';

/** DWARF works only for processes whose unwind tables bpftrace has read and that still run the same program. */
function byEitherUnwinder(
  options: ProgramContext,
  save: (unwinder: StackSource) => readonly string[],
): readonly string[] {
  if (!options.stacks || options.dwarfPids.length === 0) return save('ustack');
  const known = options.dwarfPids.map((pid) => `pid == ${pid}`).join(' || ');
  return [
    `if (@gen[(uint64)pid] == ${options.dwarfGeneration} && (${known})) {`,
    ...indent(save('dw_ustack')),
    '} else {',
    ...indent(save('ustack')),
    '}',
  ];
}

/** A stack number has these fields, lowest bits first: a counter per CPU, the CPU, and the program. */
const [COUNTED_BITS, CPU_BITS] = [32, 16];

/** Limit of a short stack; most stacks have fewer frames. */
const SHORT_FRAMES = 24;
/** Up to this depth, a map for short stacks saves too little: longer stacks would be read twice. */
const SHORT_PAYS = 2 * SHORT_FRAMES;

type Kind = 'kernel' | 'user';

/**
 * Looks up a short stack in a map with short keys, because the kernel hashes the whole key, including the zeros at its
 * end.
 */
function numberByLength(kind: Kind, stack: 'kstack' | 'ustack', options: ProgramContext): string[] {
  const short = { stack: `$short_${kind}`, numbers: `@${kind}_short` };
  return options.stackDepth < SHORT_PAYS
    ? numberOf(kind, stack, options)
    : [
        `${short.stack} = ${stackOf(stack, options, SHORT_FRAMES)};`,
        `if (len(${short.stack}) < ${SHORT_FRAMES}) {`,
        ...indent(numberIn(kind, short, stackOf(stack, options), options)),
        '} else {',
        ...indent(numberOf(kind, stack, options)),
        '}',
      ];
}

/**
 * Finds the number of a stack. A user stack may change between two reads, so a new one is read once into a variable,
 * and the same text is looked up and stored.
 */
function numberOf(kind: Kind, stack: 'kstack' | StackSource, options: ProgramContext): string[] {
  const deep = stackOf(stack, options);
  const fresh = `$new_${kind}`;
  return numberIn(kind, { stack: deep, fresh, numbers: `@${kind}_numbers` }, fresh, options);
}

/**
 * A map of stack numbers, and the expression that reads the stack: as the key for a look-up, and for a new stack into a
 * variable.
 */
interface Lookup {
  readonly numbers: string;
  readonly stack: string;
  readonly fresh?: string;
}

/**
 * The statements that put the number of a stack into `$kernel` or `$user`, or 0 if the map is full. Each CPU assigns
 * its own numbers. If two CPUs meet a new stack at once, it may get two numbers; both are valid. The same happens when
 * a program takes over from another.
 *
 * @param whole the expression that is stored under the number of a new stack
 */
function numberIn(kind: Kind, lookup: Lookup, whole: string, { dwarfGeneration }: ProgramContext): string[] {
  const { numbers, stack, fresh = stack } = lookup;
  const [variable, stacks] = [`$${kind}`, STACK_MAPS[kind]];
  const counted = '@serial[(uint64)cpu]';
  const program = dwarfGeneration * 2 ** (COUNTED_BITS + CPU_BITS);
  return [
    `${variable} = ${numbers}[${stack}];`,
    `if (${variable} == 0 && ${fullFlag(stacks)} == 0) {`,
    `  ${counted} = ${counted} + 1;`,
    ...(fresh === stack ? [] : [`  ${fresh} = ${stack};`]),
    `  if (${counted}) { ${numbers}[${fresh}] = (uint64)${program} + ((uint64)cpu << ${COUNTED_BITS}) + ${counted}; }`,
    `  ${variable} = ${numbers}[${fresh}];`,
    `  if (${variable}) { ${stacks}[${variable}] = ${whole}; }`,
    `  ${reportFull(stacks, `!has_key(${stacks}, ${variable})`)}`,
    '}',
  ];
}

/**
 * The maps and the printing that stack numbers need. Stacks are printed after the sums that contain their numbers, so
 * every printed number has its stack. Leftovers are printed when no more stacks are added.
 */
export function numberedStacks(stackDepth: number): Fragment {
  const short = {
    role: 'helper',
    key: 0,
    value: 1,
    stacksInKey: 1,
    short: { frames: SHORT_FRAMES, from: SHORT_PAYS },
  } as const;
  const stacks = { role: 'result', key: 1, value: 0, stacksInValue: 1, reportsFull: true } as const;
  const numbers = { role: 'helper', key: 0, value: 1, stacksInKey: 1 } as const;
  return {
    clauses: [],
    maps: [
      { name: STACK_MAPS.kernel, ...stacks },
      { name: STACK_MAPS.user, ...stacks },
      { name: '@kernel_numbers', ...numbers },
      { name: '@user_numbers', ...numbers },
      ...(stackDepth >= SHORT_PAYS
        ? [{ name: '@kernel_short', ...short } as const, { name: '@user_short', ...short } as const]
        : []),
      { name: '@serial', role: 'helper', key: 1, value: 1 },
    ],
  };
}

/** How an entry stores its two stacks, in its key or its value: as numbers, one word each, or as whole stacks. */
export interface StackShape {
  readonly words: number;
  readonly stacks: number;
}

export function stackShape({
  stacks,
  numberStacks,
}: Pick<ProgramContext, 'stacks' | 'numberStacks'>): StackShape {
  return numberStacks ? { words: 2, stacks: 0 } : { words: 0, stacks: stacks ? 2 : 0 };
}

/** The stack fields of an entry for another thread, whose stacks cannot be read. */
export function otherStacks(
  options: Pick<ProgramContext, 'stacks' | 'numberStacks' | 'stackMode' | 'stackDepth'>,
): string[] {
  return options.numberStacks ? ['(uint64)0', '(uint64)0'] : stackFields(options);
}

/** The stack fields of a key or value for the running thread; none without stacks. */
function stackFields(
  options: Pick<ProgramContext, 'stacks' | 'stackMode' | 'stackDepth'>,
  user: StackSource = 'ustack',
): string[] {
  return options.stacks ? [stackOf('kstack', options), stackOf(user, options)] : [];
}

function stackOf(
  stack: 'kstack' | StackSource,
  { stackMode, stackDepth }: Pick<ProgramContext, 'stackMode' | 'stackDepth'>,
  frames = stackDepth,
): string {
  return `${stack}(${stackMode}, ${frames})`;
}
