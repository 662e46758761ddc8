import { STACK_MAPS } from '../metrics/core-maps.ts';
import type { ProgramContext } from './profilers/profiler.ts';
import { type Fragment, fullFlag, indent, reportFull } from './program.ts';

/**
 * The statements that save both stacks of the running thread.
 *
 * @param save the statements that save them, which are words of the program
 */
export function saveStacks(
  options: ProgramContext,
  save: (stacks: readonly string[]) => readonly string[],
): readonly string[] {
  if (!options.numberStacks)
    return byEitherUnwinder(options, (unwinder) => save(stackFields(options, unwinder)));
  return [
    // A variable lives as long as the block that sets it first.
    '$kernel = (uint64)0;',
    '$user = (uint64)0;',
    ...numberByLength('kernel', 'kstack', options),
    ...byEitherUnwinder(options, (unwinder) =>
      // Reading a stack twice is expensive where it is unwound by tables.
      unwinder === 'ustack' ? numberByLength('user', unwinder, options) : numberOf('user', unwinder, options),
    ),
    ...save(['$kernel', '$user']),
  ];
}

type Unwinder = 'ustack' | 'dw_ustack';

/** Only processes whose unwind tables bpftrace has read, and that still run that program, can be unwound by them. */
function byEitherUnwinder(
  options: ProgramContext,
  save: (unwinder: Unwinder) => readonly string[],
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

/** Bits of a number, from the lowest one on: what a CPU has counted so far, the CPU, the program. */
const [COUNTED_BITS, CPU_BITS] = [32, 16];

/** Most stacks have fewer frames than this. */
const SHORT_FRAMES = 24;
/** Where stacks have no more than this, those that are longer would be read twice for little. */
const SHORT_PAYS = 2 * SHORT_FRAMES;

type Kind = 'kernel' | 'user';

/** A short stack is looked up as a short key: the kernel hashes all of a key, whatever part of it is 0. */
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

/** A new stack is read once more, for the user's may change while it is read: what is written is what is looked for. */
function numberOf(kind: Kind, stack: 'kstack' | Unwinder, options: ProgramContext): string[] {
  const deep = stackOf(stack, options);
  const fresh = `$new_${kind}`;
  return numberIn(kind, { stack: deep, fresh, numbers: `@${kind}_numbers` }, fresh, options);
}

/** A map of numbers, and the expression by which a stack is looked up there, and for a new one read anew into a variable. */
interface Lookup {
  readonly numbers: string;
  readonly stack: string;
  readonly fresh?: string;
}

/**
 * The statements that put the number of a stack into `$kernel` or `$user`; 0 when it found no room. Each CPU gives numbers of its
 * own: two that meet a new stack at once may give it two, each of which is good. So does a program that takes over from another.
 *
 * @param whole the expression that is kept under the number of a new stack
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

/** What the numbers need. Stacks are printed after the sums that have their numbers; leftovers, when no more are added. */
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

/** What both stacks of an entry take, in its key or in its value: words that are their numbers, or whole stacks. */
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

/** The fields of an entry that is made for another thread, whose stacks nobody can read. */
export function otherStacks(
  options: Pick<ProgramContext, 'stacks' | 'numberStacks' | 'stackMode' | 'stackDepth'>,
): string[] {
  return options.numberStacks ? ['(uint64)0', '(uint64)0'] : stackFields(options);
}

/** The fields of a key or value that hold both stacks of the running thread; none without stacks. */
function stackFields(
  options: Pick<ProgramContext, 'stacks' | 'stackMode' | 'stackDepth'>,
  user: Unwinder = 'ustack',
): string[] {
  return options.stacks ? [stackOf('kstack', options), stackOf(user, options)] : [];
}

function stackOf(
  stack: 'kstack' | Unwinder,
  { stackMode, stackDepth }: Pick<ProgramContext, 'stackMode' | 'stackDepth'>,
  frames = stackDepth,
): string {
  return `${stack}(${stackMode}, ${frames})`;
}
