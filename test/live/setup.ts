import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { execa } from 'execa';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    workloads: string;
  }
}

/** Builds the workloads. Fails if bpftrace cannot trace, so that no kernel test is skipped. */
export default async function setup(project: TestProject): Promise<() => void> {
  const probe = await execa('bpftrace', ['-e', 'tracepoint:sched:sched_switch { exit(); }'], {
    reject: false,
  });
  if (probe.exitCode !== 0) throw new Error(`bpftrace cannot trace here:\n${probe.stderr}`);
  const dir = mkdtempSync(join(tmpdir(), 'btprof test '));
  for (const source of readdirSync('fixtures/workloads').filter((name) => name.endsWith('.c'))) {
    const flags = ['-O1', '-w', '-fno-omit-frame-pointer', '-pthread'];
    await execa('gcc', [
      ...flags,
      '-o',
      join(dir, basename(source, '.c')),
      join('fixtures/workloads', source),
    ]);
  }
  project.provide('workloads', dir);
  return () => rmSync(dir, { recursive: true });
}
