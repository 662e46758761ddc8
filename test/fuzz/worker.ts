/** Runs one target on changed inputs until it is terminated. Before each attempt it shows the input to the main thread. */
import { parentPort, workerData } from 'node:worker_threads';
import { generator } from '../../scripts/bench/random.ts';
import type { WorkerInput } from './fuzz.ts';
import { mutate } from './mutate.ts';
import { TARGETS } from './targets.ts';

const { name, seed, shared } = workerData as WorkerInput;
const state = new Int32Array(shared, 0, 2);
const shown = new Uint8Array(shared, 8);
const target = TARGETS[name];
const seeds = target?.seeds() ?? [];
const random = generator(seed);
for (;;) {
  const from = seeds[Math.floor(random() * seeds.length)] as Buffer;
  const input = mutate(from, random, seeds);
  shown.set(input.subarray(0, shown.length));
  Atomics.store(state, 1, input.length);
  Atomics.add(state, 0, 1);
  try {
    target?.read(input);
  } catch (error) {
    parentPort?.postMessage(String((error as Error)?.stack ?? error));
    break;
  }
}
