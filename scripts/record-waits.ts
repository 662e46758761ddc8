/**
 * `npm run record:waits`: records the kernel stack of each kind of wait in fixtures/workloads/waits.c into
 * fixtures/waits/KERNEL-ARCH.json. The tests of the reason table use these examples.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { arch, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { $ } from 'zx';
import type { Profile } from '../metrics/schema.ts';

$.verbose = false;
const dir = mkdtempSync(join(tmpdir(), 'btprof-waits-'));
const [program, result] = [join(dir, 'waits'), join(dir, 'profile.json')];
await $`npx tsx scripts/build.ts`;
await $`gcc -O1 -w -fno-omit-frame-pointer -pthread -o ${program} fixtures/workloads/waits.c -lrt`;
await $`node dist/btprof.mjs run -q -p offcpu --json -o ${result} sh fixtures/workloads/waits.sh ${program} ${dir}`;
const waits = waitsOf(JSON.parse(readFileSync(result, 'utf8')));
const kernel = release().replace(/-.*/, '');
const file = `fixtures/waits/${kernel}-${arch()}.json`;
mkdirSync('fixtures/waits', { recursive: true });
writeFileSync(file, `${JSON.stringify({ kernel, arch: arch(), waits }, undefined, 1)}\n`);
rmSync(dir, { recursive: true });
console.log(`${file}: ${Object.keys(waits).length} kinds of waits`);

/** Finds where the main thread of each command waited longest. Waits for a CPU count only in `spin`. */
function waitsOf({
  ebpf: { offcpu },
}: Profile): Record<string, { state: string; kernel: (string | null)[] }> {
  const waits: Record<string, { state: string; kernel: (string | null)[] }> = {};
  for (const { pid, tid, state, kernel } of offcpu?.stacks ?? []) {
    const kind = offcpu?.thread_stats[`${pid}:${tid}`]?.comm;
    if (pid !== tid || !kind?.startsWith('w-') || waits[kind.slice(2)]) continue;
    if ((state === 'R') !== (kind === 'w-spin')) continue;
    waits[kind.slice(2)] = { state, kernel: kernel.map((index) => offcpu?.frames[index]?.symbol ?? null) };
  }
  return waits;
}
