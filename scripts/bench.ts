/**
 * `npm run bench`: compares btprof with other tools, in turn, and writes docs/benchmarks.md. `--check` compares with the
 * committed ratios instead. `npm run bench -- NAME...` runs only the named benchmarks, prints their results, and fails when an
 * aim is missed.
 */
import { $ } from 'zx';
import { benchBounded } from './bench/bounded.ts';
import { benchFlamegraph } from './bench/flamegraph-vs-d3.ts';
import { benchSymbols } from './bench/naming.ts';
import { benchParse } from './bench/parse.ts';
import { benchPeers, PEER_BENCHMARKS } from './bench/peers.ts';
import { benchScale } from './bench/scale.ts';
import { orRefuse } from './refusal.ts';

/** Each returns whether its aims were met. The argument is the text after a colon, as in `bounded:2m`. */
const BENCHMARKS: Readonly<Record<string, (argument: string) => Promise<boolean>>> = {
  bounded: benchBounded,
  flamegraph: benchFlamegraph,
  parse: benchParse,
  scale: benchScale,
  symbols: benchSymbols,
  ...PEER_BENCHMARKS,
};

// On exit, handlers remove temporary files, and the kernel ends the tools.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));

const args = process.argv.slice(2);
const check = args.includes('--check');
const wanted = args
  .filter((arg) => arg !== '--check')
  .map((arg) => arg.split(':', 2) as [name: string, argument?: string]);
if (wanted.some(([name]) => !Object.hasOwn(BENCHMARKS, name)) || (check && wanted.length > 0)) {
  const names = Object.keys(BENCHMARKS).join(', ');
  console.error(`usage: npm run bench [-- --check | NAME...]   NAME is one of: ${names}`);
  process.exit(2);
}
await orRefuse('npm run bench', async () => {
  await $({ quiet: true })`npx tsx scripts/build.ts`;
  let reached = wanted.length > 0 || (await benchPeers(check));
  for (const [name, argument = ''] of wanted)
    reached = ((await BENCHMARKS[name]?.(argument)) ?? false) && reached;
  process.exit(reached ? 0 : 1);
});
