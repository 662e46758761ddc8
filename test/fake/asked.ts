import { AsyncLocalStorage } from 'node:async_hooks';
import { writeFileSync } from 'node:fs';
import { ASKING } from '../../bt/program.ts';

/** The file of the collection that runs, of which there may be several at a time. */
const asked = new AsyncLocalStorage<string>();

/**
 * The kernel's program is asked for its maps by a process that starts under a name. A fake bpftrace cannot see that, so this
 * tells it, by a file.
 *
 * @param collect whose program it is
 */
export function tellWhenAsked<T>(file: string, collect: () => Promise<T>): Promise<T> {
  return asked.run(file, collect);
}

let { title } = process;
Object.defineProperty(process, 'title', {
  configurable: true,
  get: () => title,
  set: (name: string) => {
    title = name;
    const file = asked.getStore();
    if (name === ASKING && file) writeFileSync(file, '');
  },
});
