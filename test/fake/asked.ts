import { AsyncLocalStorage } from 'node:async_hooks';
import { writeFileSync } from 'node:fs';
import { ASKING } from '../../bt/program.ts';

/** The file that tells the fake bpftrace to print. Several collections may run at a time, so each has its own. */
const asked = new AsyncLocalStorage<string>();

/**
 * btprof asks the BPF program for its maps by renaming its process. A fake bpftrace cannot see that, so this creates a file.
 *
 * @param collect the collection with that fake bpftrace
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
