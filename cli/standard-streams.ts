/**
 * Imported first, so that nothing looks at Node's own standard streams: a look at process.stdin makes a pipe or
 * socket there non-blocking, also for the command, which shares it. Libraries look as they load, and Node itself
 * does when 'node:process' is imported by a module (the build maps that import to node-process.cjs).
 */
import { PassThrough } from 'node:stream';

for (const name of ['stdin', 'stdout', 'stderr'] as const) {
  Object.defineProperty(process, name, { value: new PassThrough() });
}
