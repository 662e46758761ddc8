/** `npm run bench -- NAME...`: measures, prints a table, and fails when a result misses its aim. */
import { benchFlamegraph } from './bench/flamegraph.ts';
import { benchParse } from './bench/parse.ts';
import { benchStart } from './bench/start.ts';
import { benchSymbols } from './bench/symbols.ts';

const BENCHMARKS = {
  flamegraph: benchFlamegraph,
  parse: benchParse,
  start: benchStart,
  symbols: benchSymbols,
};

const names = process.argv.slice(2);
const known = Object.keys(BENCHMARKS);
const unknown = names.find((name) => !known.includes(name));
if (names.length === 0 || unknown !== undefined) {
  console.error(`usage: npm run bench -- NAME...   NAME is one of: ${known.join(', ')}`);
  process.exit(2);
}
let missed = false;
for (const name of names) missed = !(await BENCHMARKS[name as keyof typeof BENCHMARKS]()) || missed;
process.exit(missed ? 1 : 0);
