import { AsyncLocalStorage } from 'node:async_hooks';
import { writeFileSync } from 'node:fs';
import { ASKING } from '../../bt/program.ts';

/** The file that tells the fake bpftrace to print. Several collections may run at a time, so each has its own. */
const requestFile = new AsyncLocalStorage<string>();

/**
 * btprof requests the maps by starting a process under a special name. A fake bpftrace cannot see that, so this creates a file.
 *
 * @param collect the collection with that fake bpftrace
 */
export function withRequestFile<T>(file: string, collect: () => Promise<T>): Promise<T> {
  return requestFile.run(file, collect);
}

let { title } = process;
Object.defineProperty(process, 'title', {
  configurable: true,
  get: () => title,
  set: (name: string) => {
    title = name;
    const file = requestFile.getStore();
    if (name === ASKING && file) writeFileSync(file, '');
  },
});
