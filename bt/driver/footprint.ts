import { existsSync, readFileSync } from 'node:fs';
import type { Footprint } from '../../metrics/facts.ts';
import { parseStat, parseStatus } from '../../parsers/proc.ts';
import { familyOf, fdInfos, tryRead } from './procfs.ts';

/**
 * Measures what btprof and bpftrace use, besides the programs in the kernel.
 *
 * @returns a function that reads the CPU time from now on and the peak memory; null if bpftrace has ended
 */
export function watchFootprint(tracer: number): () => Footprint | null {
  const cpuTime = () => cpuTimeOf(process.pid) + sumOf(tracer, cpuTimeOf);
  const before = cpuTime();
  return () => {
    const footprint = { cpuNs: cpuTime() - before, ...memoryOf(tracer) };
    return existsSync(`/proc/${tracer}/stat`) ? footprint : null;
  };
}

/** Updates the peak memory; bpftrace may have ended. */
export function withPeaks(footprint: Footprint, tracer: number): Footprint {
  const now = memoryOf(tracer);
  return {
    cpuNs: footprint.cpuNs,
    btprofBytes: Math.max(footprint.btprofBytes, now.btprofBytes),
    bpftraceBytes: Math.max(footprint.bpftraceBytes, now.bpftraceBytes),
    mapBytes: Math.max(footprint.mapBytes, now.mapBytes),
  };
}

function memoryOf(tracer: number): Omit<Footprint, 'cpuNs'> {
  return {
    btprofBytes: peakOf(process.pid),
    bpftraceBytes: sumOf(tracer, peakOf),
    mapBytes: sumOf(tracer, mapBytesOf),
  };
}

/** Sums over all its processes, because the command given to `--bpftrace` may run bpftrace as its child. */
function sumOf(tracer: number, figureOf: (pid: number) => number): number {
  return familyOf(tracer).reduce((sum, pid) => sum + figureOf(pid), 0);
}

/** CPU time, ns; 0 if the process is gone. */
function cpuTimeOf(pid: number): number {
  return parseStat(tryRead(() => readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? '')?.cpuNs ?? 0;
}

/** Peak of resident memory, bytes; 0 when the process is gone. */
export function peakOf(pid: number): number {
  return parseStatus(tryRead(() => readFileSync(`/proc/${pid}/status`, 'utf8')) ?? '').peakBytes ?? 0;
}

/** Memory of the BPF maps that a process holds, bytes. */
export function mapBytesOf(pid: number): number {
  const maps = fdInfos(pid).filter((info) => info.includes('map_type:'));
  return maps.reduce((sum, info) => sum + Number(/^memlock:\s+(\d+)/m.exec(info)?.[1] ?? 0), 0);
}
