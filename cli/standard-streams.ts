/**
 * Must be imported first, so that nothing touches Node's own standard streams. Reading process.stdin makes a pipe or socket
 * non-blocking, also for the command, which shares it. Libraries read it when they load, and so does Node when a module
 * imports 'node:process' (the build maps that import to node-process.cjs).
 */
import { PassThrough } from 'node:stream';

for (const name of ['stdin', 'stdout', 'stderr'] as const) {
  Object.defineProperty(process, name, { value: new PassThrough() });
}
