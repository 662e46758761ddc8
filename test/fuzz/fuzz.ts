/**
 * `npm run fuzz -- NAME SECONDS [SEED]`: reads inputs with random changes, and fails when a reader throws, takes 10 seconds for
 * one of them, or runs out of memory. Such an input is kept in fixtures/fuzz/NAME, where the unit tests read it again.
 */
import { Worker } from 'node:worker_threads';
import { corpusOf, keepInput } from './corpus.ts';
import { TARGETS } from './targets.ts';

export interface WorkerInput {
  readonly name: string;
  readonly seed: number;
  /** The number of attempts and the length of the input, 4 bytes each, and the input. */
  readonly shared: SharedArrayBuffer;
}

const LARGEST_INPUT = 512 * 1024;
const LONGEST_MS = 10_000;
const MOST_MB = 512;

const [name = '', seconds = '', seedText] = process.argv.slice(2);
const target = TARGETS[name];
if (!target || !(Number(seconds) > 0)) {
  console.error(
    `usage: npm run fuzz -- NAME SECONDS [SEED]   NAME is one of: ${Object.keys(TARGETS).join(', ')}`,
  );
  process.exit(2);
}
for (const { input } of corpusOf(name)) target.read(input);

const seed = Number(seedText ?? Date.now() % 2 ** 31);
const shared = new SharedArrayBuffer(8 + LARGEST_INPUT);
const state = new Int32Array(shared, 0, 2);
const data: WorkerInput = { name, seed, shared };
// A worker does not load TypeScript by itself (tsx.is/dev-api).
const module = JSON.stringify(new URL('worker.ts', import.meta.url).href);
const loader = `import('tsx/esm/api').then(({ register }) => { register(); return import(${module}); });`;
const worker = new Worker(loader, {
  eval: true,
  workerData: data,
  resourceLimits: { maxOldGenerationSizeMb: MOST_MB },
});

/** Ends with the outcome. A failure keeps the current input. */
async function end(failure?: string): Promise<never> {
  const [attempts = 0, length = 0] = state;
  const input = new Uint8Array(shared.slice(8, 8 + length));
  console.log(
    `${name}: ${attempts.toLocaleString('en')} inputs, seed ${seed}${failure ? '' : ', no failure'}`,
  );
  if (failure) console.error(`${keepInput(name, input)} makes it fail: ${failure}`);
  await worker.terminate();
  process.exit(failure ? 1 : 0);
}

worker.once('message', (stack: string) => void end(stack));
worker.once('error', (error) => void end(String(error)));
setTimeout(() => void end(), 1000 * Number(seconds));
let seen = -1;
setInterval(() => {
  const attempts = state[0] ?? 0;
  if (attempts === seen && attempts > 0) void end(`it takes more than ${LONGEST_MS / 1000} s`);
  seen = attempts;
}, LONGEST_MS);
