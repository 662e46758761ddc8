import { readFileSync } from 'node:fs';
import type { Footprint } from '../../metrics/facts.ts';
import { parseCpuTime, parsePeakMemory } from '../../parsers/proc.ts';
import { familyOf, fdInfos, tryRead } from './procfs.ts';

/**
 * What we and a bpftrace use of the CPUs from now on, besides its programs in the kernel.
 *
 * @returns tells it, ns
 */
export function watchCpuTime(tracer: number): () => number {
  const used = () => cpuTimeOf(process.pid) + sumOf(tracer, cpuTimeOf);
  const before = used();
  return () => used() - before;
}

/** What a collection took: of memory, the most until now. */
export function footprintOf(tracer: number, cpuNs: number): Footprint {
  return {
    cpuNs,
    btprofBytes: peakOf(process.pid),
    bpftraceBytes: sumOf(tracer, peakOf),
    mapBytes: sumOf(tracer, mapBytesOf),
  };
}

/** Of all its processes, for a command given to `--bpftrace` may run bpftrace as its child. */
function sumOf(tracer: number, figureOf: (pid: number) => number): number {
  return familyOf(tracer).reduce((sum, pid) => sum + figureOf(pid), 0);
}

/** Ns; 0 when the process is gone. */
function cpuTimeOf(pid: number): number {
  return parseCpuTime(tryRead(() => readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? '') ?? 0;
}

/** Peak of resident memory, bytes; 0 when the process is gone. */
export function peakOf(pid: number): number {
  return parsePeakMemory(tryRead(() => readFileSync(`/proc/${pid}/status`, 'utf8')) ?? '') ?? 0;
}

/** What the kernel's maps that a process holds take, bytes. */
export function mapBytesOf(pid: number): number {
  const maps = fdInfos(pid).filter((info) => info.includes('map_type:'));
  return maps.reduce((sum, info) => sum + Number(/^memlock:\s+(\d+)/m.exec(info)?.[1] ?? 0), 0);
}
