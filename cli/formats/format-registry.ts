import { flamegraph } from './flamegraph.ts';
import { folded } from './folded.ts';
import type { Format } from './format.ts';
import { json } from './json.ts';
import { jsonl } from './jsonl.ts';
import { pprof } from './pprof.ts';
import { speedscope } from './speedscope.ts';
import { summary } from './summary.ts';

/** Every output format, in the order of the help. The first one is the default. */
export const FORMATS: readonly [Format, ...Format[]] = [
  summary,
  json,
  jsonl,
  folded,
  flamegraph,
  speedscope,
  pprof,
];
