import { mkdtempSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { inFirstPlace, requireExecutable } from './executable.ts';

/** An unpacked program. */
export interface Unpacked {
  /** The directory that contains only this program. */
  readonly directory: string;
  readonly file: string;
  readonly remove: () => void;
}

/**
 * Writes a program into a new directory, in the first place that is writable, where programs may run, and where no other user
 * can put another program in its place. It is removed at exit, if not before.
 *
 * @param binaries ELF files in base64, by process.arch
 * @param places directories, in the order in which they are tried
 * @returns the program, or why it cannot be written
 */
export function unpackProgram(
  binaries: Readonly<Record<string, string>>,
  name: string,
  places: readonly string[],
): Unpacked | { readonly problem: string } {
  return inFirstPlace(binaries, places, (binary, place) => unpackInto(place, name, binary));
}

function unpackInto(place: string, name: string, program: Buffer): Unpacked {
  requireTrusted(place);
  const directory = mkdtempSync(join(place, 'btprof-'));
  // Only once: afterwards anybody may use the name.
  const remove = () => {
    if (process.listeners('exit').includes(remove)) rmSync(directory, { recursive: true, force: true });
    process.off('exit', remove);
  };
  process.on('exit', remove);
  const file = join(directory, name);
  try {
    writeFileSync(file, program, { mode: 0o700 });
    requireExecutable(file, place);
  } catch (error) {
    remove();
    throw error;
  }
  return { directory, file, remove };
}

/** Whoever owns a directory, or may write to it, can rename what is in it. In a sticky directory only the owner of a file can. */
function requireTrusted(place: string): void {
  for (let path = realpathSync(place); ; path = dirname(path)) {
    const { uid, mode } = statSync(path);
    const isShared = (mode & 0o022) !== 0 && (mode & 0o1000) === 0;
    if (isShared || ![0, process.geteuid?.()].includes(uid))
      throw new Error(`another user may replace files in ${path}`);
    if (path === dirname(path)) return;
  }
}
