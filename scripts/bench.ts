/**
 * `npm run bench`: btprof beside its peers, in turn, a table of ratios; writes docs/benchmarks.md. `--check` compares with the
 * committed ratios instead. `npm run bench -- NAME...` measures one thing, prints it, and fails when an aim is missed.
 */
import { benchFlamegraph } from './bench/flamegraph.ts';
import { benchParse } from './bench/parse.ts';
import { benchPeers, PEER_BENCHMARKS } from './bench/peers.ts';
import { benchScale } from './bench/scale.ts';
import { benchSymbols } from './bench/symbols.ts';

const BENCHMARKS = {
  flamegraph: benchFlamegraph,
  parse: benchParse,
  scale: benchScale,
  symbols: benchSymbols,
  ...PEER_BENCHMARKS,
};

// Then handlers of our exit run, which remove what was written; the kernel ends the tools.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));

const args = process.argv.slice(2);
const check = args.includes('--check');
const names = args.filter((arg) => arg !== '--check');
const known = Object.keys(BENCHMARKS);
if (names.some((name) => !known.includes(name)) || (check && names.length > 0)) {
  console.error(`usage: npm run bench [-- --check | NAME...]   NAME is one of: ${known.join(', ')}`);
  process.exit(2);
}
let missed = names.length === 0 && !(await benchPeers(check));
for (const name of names) missed = !(await BENCHMARKS[name as keyof typeof BENCHMARKS]()) || missed;
process.exit(missed ? 1 : 0);
