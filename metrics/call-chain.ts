import type { Frame } from './fields.ts';
import { distinct, hashOf, sameNumbers } from './hash.ts';
import { waitSite } from './wait-site.ts';

/** What every program goes through on its way to the kernel: the C library, the threads, the loader, the vDSO. */
const RUNTIME =
  /(^\[vdso\]$|\/(ld-[\w-]+|ld|libc|libpthread|libm|librt|libdl|libstdc\+\+|libgcc_s|libc\+\+)[-\d.]*\.so[.\d]*$)/;

/** Programs and threads begin here. */
const START = /^(_start|start_thread|(__)?clone3?|__libc_start\w*|runtime\.(goexit|mstart)\S*)$/;

/** Frames of the application that are shown. */
const APPLICATION_FRAMES = 3;
/** More than there are kinds of time. */
const MOST_KINDS = 4096;
/** Characters of one name. */
const LONGEST_NAME = 48;

/** A stack, and the kind of time that it stands for. */
interface Place {
  readonly reason: string;
  /** Indices into the frames, leaf first. */
  readonly user: readonly number[];
  readonly kernel: readonly number[];
}

/** What a frame is to a reader. */
interface Word {
  readonly kind: 'runtime' | 'start' | 'application';
  readonly name: string;
  /** Frames of one name share it; from 1. */
  readonly id: number;
  /** Whether it is one of the scheduler's own functions, through which every wait goes. */
  readonly plumbing: boolean;
}

export interface CallChains {
  /**
   * A wait in a few words: the application's innermost functions, leaf first, and in brackets the function of the C library
   * that they called and the kernel function that waited, such as `step < worker [pthread_mutex_lock, futex_do_wait]`. A
   * thread that had no CPU may have been anywhere. Empty without stacks.
   */
  readonly textOf: (place: Place) => string;
  /** One number for all waits that have one reason and one text; it comes sooner than the text. */
  readonly groupOf: (place: Place) => number;
  /** One number for all waits of one reason in one function of the application: those of a group share it. It comes soonest. */
  readonly leafOf: (place: Place) => number;
}

/**
 * @param frames with names for people
 * @param kindTexts the text for kinds of time whose stacks say nothing
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

/** The innermost functions of the application, the one of the C library that the first of them called, and the kernel's. */
function wordsOf({ user, kernel }: Place, wordOf: (index: number) => Word) {
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

/** Without its parameters; a frame without a name has its file and where it is in that. */
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

/** Other parentheses stay: those of `(anonymous namespace)`, of a template's arguments, of Go's methods. */
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
