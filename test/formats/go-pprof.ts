import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pprofView } from '../../cli/formats/pprof/pprof-profile.ts';
import type { Profile } from '../../metrics/schema.ts';
import type { Totals } from '../unit/cli/formats/pprof/pprof-totals.ts';
import { resultOf } from '../unit/cli/formats/result-of.ts';

const execute = promisify(execFile);

/**
 * Returns what `go tool pprof` prints for the pprof file of a profile. It does not look up names in the files of this machine.
 *
 * @throws Error if it fails, prints an error or is not installed (apt-get install golang)
 */
export async function goPprof(profile: Profile, ...args: readonly string[]): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'btprof-pprof-'));
  try {
    const file = join(dir, 'profile.pb.gz');
    writeFileSync(file, pprofView(resultOf(profile)));
    const env = { ...process.env, PPROF_TMPDIR: dir, HOME: dir };
    const { stdout, stderr } = await execute(
      'go',
      ['tool', 'pprof', '-symbolize=none', '-nodecount=100000', '-nodefraction=0', ...args, file],
      { env, maxBuffer: 1 << 30 },
    );
    if (stderr.replace(AS_NUMBER, '') !== '') throw new Error(`go tool pprof prints: ${stderr}`);
    return stdout;
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** Returns what it prints about a filter such as `-tagfocus=tid=6`. */
const AS_NUMBER = /^tagfocus:Interpreted '\d+' as range, not regexp\n/gm;

/**
 * Sums of the samples that `go tool pprof -raw` prints:
 *
 *     Samples:
 *     waits/count offcpu/nanoseconds[dflt] open/nanoseconds
 *              23  930737394          0: 1 2 3 4
 *                     reason:[sleep] thread:[sleepers]
 */
export function rawTotals(raw: string): Totals {
  const [head = '', ...lines] = (/^Samples:\n(.*?)^Locations$/ms.exec(raw)?.[1] ?? '').split('\n');
  const rows = lines.flatMap((line) => {
    const values = /^([ \d]+):( \d+)+ ?$/.exec(line)?.[1];
    return values ? [values.trim().split(/ +/).map(BigInt)] : [];
  });
  const sums = head
    .split(' ')
    .map((type, i): [string, bigint] => [
      type.replace(/\/.*/, ''),
      rows.reduce((sum, row) => sum + (row[i] ?? 0n), 0n),
    ]);
  return Object.fromEntries(sums);
}

/**
 * The total and the sum of what each function took itself, ns, that `go tool pprof -top -unit=ns` prints:
 *
 *     Duration: 933.69ms, Total samples = 3726139835ns (399.08%)
 *           flat  flat%   sum%        cum   cum%
 *     3725743420ns   100%   100% 3725743420ns   100%  __schedule
 */
export function topTotals(top: string): { readonly total: number; readonly flat: number } {
  const [, total = ''] = /Total samples = (\d+)/.exec(top) ?? [];
  const rows = top.slice(top.indexOf('flat%')).matchAll(/^ *(\d+)(?:ns)? +[\d.e-]+% +[\d.e-]+% +\d+/gm);
  return { total: Number(total), flat: [...rows].reduce((sum, [, ns]) => sum + Number(ns), 0) };
}
