import { writeFileSync } from 'node:fs';
import { ASKING } from '../../bt/program.ts';

/**
 * The kernel's program is asked for its maps by a process that starts under a name. A fake bpftrace cannot see that, so this
 * tells it, by a file.
 *
 * @returns ends that
 */
export function tellWhenAsked(file: string): () => void {
  let { title } = process;
  const tell = (name: string) => {
    title = name;
    if (name === ASKING) writeFileSync(file, '');
  };
  Object.defineProperty(process, 'title', { configurable: true, get: () => title, set: tell });
  return () => Object.defineProperty(process, 'title', { configurable: true, writable: true, value: title });
}
