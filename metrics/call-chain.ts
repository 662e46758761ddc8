import type { Frame } from './fields.ts';
import { distinct, hashOf, sameNumbers } from './hash.ts';
import { waitSite } from './wait-site.ts';

/** Libraries that every program uses to enter the kernel: the C library, threads, the loader, the vDSO. */
const RUNTIME =
  /(^\[vdso\]$|\/(ld-[\w-]+|ld|libc|libpthread|libm|librt|libdl|libstdc\+\+|libgcc_s|libc\+\+)[-\d.]*\.so[.\d]*$)/;

/** Programs and threads begin here. */
const START = /^(_start|start_thread|(__)?clone3?|__libc_start\w*|runtime\.(goexit|mstart)\S*)$/;

/** Frames of the application that are shown. */
const APPLICATION_FRAMES = 3;
/** Upper bound for the number of kinds of time. */
const MOST_KINDS = 4096;
/** Characters of one name. */
const LONGEST_NAME = 48;

/** A stack, and the kind of time that it stands for. */
interface StackWithReason {
  readonly reason: string;
  /** Indices into the frames, leaf first. */
  readonly user: readonly number[];
  readonly kernel: readonly number[];
}

/** How a frame is shown. */
interface Word {
  readonly kind: 'runtime' | 'start' | 'application';
  readonly name: string;
  /** Frames with the same name have the same id; from 1. */
  readonly id: number;
  /** Whether it is one of the scheduler's own functions, which are part of every wait. */
  readonly plumbing: boolean;
}

export interface CallChains {
  /**
   * Describes a wait: the innermost functions of the application, leaf first, and in brackets the C library function
   * that they called and the kernel function that waited, such as `step < worker [pthread_mutex_lock, futex_do_wait]`.
   * Kinds in `kindTexts` have their text instead. Empty without stacks.
   */
  readonly textOf: (place: StackWithReason) => string;
  /** A number that identifies the reason and the text of a wait; faster than the text. */
  readonly groupOf: (place: StackWithReason) => number;
  /**
   * A number that identifies the reason and the innermost application function; the same for all waits of a group, and
   * faster still.
   */
  readonly leafOf: (place: StackWithReason) => number;
}

/**
 * @param frames with names for people
 * @param kindTexts texts for kinds of time whose stacks do not explain them
 */
export function callChains(
  frames: readonly Frame[],
  kindTexts: Readonly<Record<string, string>> = {},
): CallChains {
  const kinds: string[] = [];
  const kindId = (kind: string): number => {
    const known = kinds.indexOf(kind);
    return known < 0 ? kinds.push(kind) - 1 : known;
  };
  const words: Word[] = [];
  const ids = new Map<string, number>();
  const wordOf = (index: number): Word => {
    words[index] ??= newWord(frames[index] as Frame, ids);
    return words[index];
  };
  const groups = distinct<readonly number[]>(hashOf, sameNumbers);
  return {
    textOf: (place) => {
      const text = kindTexts[place.reason];
      if (text !== undefined) return text;
      const { application, called, site } = wordsOf(place, wordOf);
      const way = [called, site].filter((word) => word !== undefined).map(({ name }) => name);
      const functions = application.map(({ name }) => name).join(' < ');
      return [functions, way.length > 0 ? `[${way.join(', ')}]` : ''].filter((part) => part !== '').join(' ');
    },
    groupOf: (place) => {
      const reason = kindId(place.reason);
      if (kindTexts[place.reason] !== undefined) return groups.indexOf([reason]);
      const { application, called, site } = wordsOf(place, wordOf);
      const ids = [reason, called?.id ?? 0, site?.id ?? 0];
      for (const { id } of application) ids.push(id);
      return groups.indexOf(ids);
    },
    leafOf: ({ reason, user }) => {
      const hasText = kindTexts[reason] !== undefined;
      const leaf = hasText ? undefined : user.find((index) => wordOf(index).kind === 'application');
      return (leaf === undefined ? 0 : wordOf(leaf).id) * MOST_KINDS + kindId(reason);
    },
  };
}

/**
 * Finds the innermost application functions, the C library function that the first of them called, and the kernel
 * function.
 */
function wordsOf({ user, kernel }: StackWithReason, wordOf: (index: number) => Word) {
  const application: Word[] = [];
  let called: Word | undefined;
  for (const index of user) {
    const word = wordOf(index);
    if (word.kind === 'application') application.push(word);
    else if (application.length === 0 && word.kind === 'runtime') called = word;
    if (application.length === APPLICATION_FRAMES) break;
  }
  const site = kernel.find((index) => !wordOf(index).plumbing);
  return { application, called, site: site === undefined ? undefined : wordOf(site) };
}

function newWord(frame: Frame, ids: Map<string, number>): Word {
  const { symbol, module } = frame;
  const name = shortName(frame);
  const id = ids.get(name) ?? ids.size + 1;
  ids.set(name, id);
  const start = symbol !== null && START.test(symbol);
  const runtime = module !== null && RUNTIME.test(module);
  const kind = start ? 'start' : runtime ? 'runtime' : 'application';
  return { kind, name, id, plumbing: waitSite([symbol]) === undefined };
}

/** A function name without parameters; for a frame without a name, its file and the offset. */
function shortName({ symbol, module, offset, address }: Frame): string {
  if (symbol === null) {
    const file = module?.slice(module.lastIndexOf('/') + 1);
    return file && offset !== null ? `${file}+0x${offset.toString(16)}` : address;
  }
  const name = withoutParameters(symbol);
  return name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME - 3)}...` : name;
}

/** What may stand after the parameters of a C++ function. */
const AFTER_PARAMETERS = /\)(?: const| volatile| &{1,2}| noexcept| \[clone [^\]]*\])*$/;

/** Other parentheses stay, such as in `(anonymous namespace)`, template arguments and Go methods. */
function withoutParameters(name: string): string {
  const end = AFTER_PARAMETERS.exec(name)?.index;
  if (end === undefined) return name;
  let open = end;
  for (let depth = 0; open >= 0; open--) {
    if (name[open] === ')') depth++;
    else if (name[open] === '(' && --depth === 0) break;
  }
  const before = name.slice(0, Math.max(0, open));
  return /(\w|[>\]}]|operator\S+)$/.test(before) && !before.endsWith('operator') ? before : name;
}
