import { isUtf8 } from 'node:buffer';
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { BtprofError } from '../../metrics/errors.ts';
import { inheritedOpenFilesLimit } from './inherited.ts';

/** The first byte of a word that the stub must decode. */
const CODED = '\x01';

/**
 * The stub that waits in the command's place. It is a constant: the command comes as its arguments.
 *
 * - Node cannot pass on words that are not UTF-8, so these come escaped for printf %b. `eval` sees only the numbers of
 *   words, never the words.
 * - It waits on a descriptor, not by SIGSTOP: when btprof dies, the descriptor closes and the stub ends.
 * - `env -i` sets exactly the given environment: a shell drops names that it cannot use and adds PWD.
 *
 * Arguments: soft limit of open files or '', 1 when words are coded or 0, then NAME=value..., COMMAND, ARG...
 */
const stub = (gate: number) => `
[ -z "$1" ] || ulimit -S -n "$1" 2>/dev/null
coded=$2
shift 2
if [ "$coded" = 1 ]; then
  i=0 list=
  for word do
    i=$((i + 1))
    case $word in
      ${CODED}*) word=$(printf '%b.' "\${word#?}"); word=\${word%.}; eval "w$i=\\$word"; list="$list \\"\\$w$i\\"" ;;
      *) list="$list \\"\\\${$i}\\"" ;;
    esac
  done
  eval "set -- $list"
fi
IFS= read -r go <&${gate} || exit 125
[ "$go" = go ] || exit 125
exec ${gate}<&-
exec /usr/bin/env -i -- "$@"
`;

/** How a process ended: exactly one of the two is not null. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process that waits to become the command. */
export interface HeldTarget {
  readonly pid: number;
  /** The number of execs until the process is the command. */
  readonly execs: number;
  /** Lets it become the command. */
  readonly release: () => void;
  /** Ends it before it becomes the command; does nothing once it is released. */
  readonly abandon: () => void;
  readonly signal: (signal: NodeJS.Signals) => void;
  readonly exited: Promise<Exit>;
  /** How it ended; null while it runs. */
  readonly exit: () => Exit | null;
}

/**
 * Starts a process that waits until it is released and then becomes the command: a child in the same process group,
 * with the same standard streams, the given descriptors, and exactly the given arguments and environment.
 *
 * @param words command and arguments, as bytes
 * @param environment `NAME=value` entries, as bytes
 * @param descriptors those above 2 to pass on, by number
 */
export function holdTarget(
  words: readonly Buffer[],
  environment: readonly Buffer[],
  descriptors: readonly number[],
): HeldTarget {
  const gate = freeDescriptor(descriptors);
  // env would read a command with '=' in its name as a variable; nice only passes it on.
  const detour = words[0]?.includes('=') ? [nicePath(), '-n', '0'].map((word) => Buffer.from(word)) : [];
  // env would read an entry without '=' as the command.
  const variables = environment.filter((entry) => entry.includes('='));
  const all = [...variables, ...detour, ...words];
  const coded = all.some(needsCode);
  const limit = inheritedOpenFilesLimit() ?? '';
  const args = ['-c', stub(gate), 'btprof', limit, coded ? '1' : '0', ...all.map((word) => codeWord(word))];
  const child = startStub(args, stdio(descriptors, gate));
  const channel = child.stdio[gate] as NodeJS.WritableStream;
  channel.on('error', () => undefined); // the stub may be gone before it is released
  let released = false;
  return {
    pid: child.pid,
    execs: 1 + (detour.length ? 2 : 1),
    release: () => {
      released = true;
      channel.end('go\n');
    },
    abandon: () => {
      if (!released) channel.end();
    },
    signal: (signal) => child.kill(signal),
    exited: exitOf(child),
    exit: () =>
      child.exitCode === null && child.signalCode === null
        ? null
        : { code: child.exitCode, signal: child.signalCode },
  };
}

/**
 * Without execa, unlike other children: its time to start one grows with the square of the highest descriptor, and is 0.8 s for
 * descriptor 1000.
 */
function startStub(args: string[], stdio: StdioOptions): ChildProcess & { readonly pid: number } {
  const what = 'cannot start /bin/sh to hold the command';
  let child: ChildProcess;
  try {
    child = spawn('/bin/sh', args, { stdio, env: {} });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new BtprofError(`${what}: ${code}.`, 'Its arguments and environment may be too long.');
  }
  child.on('error', () => undefined); // it has no pid then
  if (child.pid === undefined) throw new BtprofError(`${what}.`, 'Is there a /bin/sh?');
  return child as ChildProcess & { readonly pid: number };
}

/** 128+N for a signal, as shells report it. */
export function exitStatus({ code, signal }: Exit): number {
  return code ?? 128 + (signal ? constants.signals[signal] : 0);
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
}

/** In /bin where only busybox is. */
function nicePath(): string {
  return existsSync('/usr/bin/nice') ? '/usr/bin/nice' : '/bin/nice';
}

/** A shell can redirect the descriptors 3 to 9 only. */
function freeDescriptor(taken: readonly number[]): number {
  const free = [3, 4, 5, 6, 7, 8, 9].find((fd) => !taken.includes(fd));
  if (free === undefined) {
    throw new BtprofError(
      'descriptors 3 to 9 are all in use, but btprof needs one of them to hold the command.',
      'Close one: add 9<&- to the end of the command line.',
    );
  }
  return free;
}

function stdio(descriptors: readonly number[], gate: number): ('inherit' | 'ignore' | 'pipe' | number)[] {
  const highest = Math.max(gate, 2, ...descriptors);
  return Array.from({ length: highest + 1 }, (_, fd) => {
    if (fd <= 2) return 'inherit';
    if (fd === gate) return 'pipe';
    return descriptors.includes(fd) ? fd : 'ignore';
  });
}

function needsCode(word: Buffer): boolean {
  return !isUtf8(word) || word.toString('latin1', 0, 1) === CODED;
}

/** printf %b reads `\0ooo` as a byte and `\\` as a backslash; all else stands for itself. */
function codeWord(word: Buffer): string {
  if (!needsCode(word)) return word.toString('utf8');
  const spelled = [...word].map((byte) =>
    byte === 0x5c
      ? '\\\\'
      : byte >= 0x80 || byte < 0x20
        ? `\\0${byte.toString(8).padStart(3, '0')}`
        : String.fromCharCode(byte),
  );
  return CODED + spelled.join('');
}
