import type { Bpftrace } from '../../scripts/versions.ts';

/** The real bpftraces of `npm run test:matrix`. */
export const BPFTRACES: readonly Bpftrace[] = JSON.parse(process.env.BTPROF_VERSIONS ?? 'null') ?? missing();

function missing(): never {
  throw new Error('These tests need several versions of bpftrace side by side. Type: npm run test:matrix');
}
