import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type FakeBpftrace, phasesOf, type Run, replaying } from '../../fake/bpftrace.ts';
import { useCommand } from '../../fake/command.ts';

const command = useCommand();
let fake: FakeBpftrace;

test('lists missing tracepoints, and skips the trial in that case', async () => {
  fake = command.replay(replaying(phasesOf('sleepers')));
  makeTracefs([]);
  const { status, checks } = await doctor();
  expect(status).toBe(1);
  expect(checks.offcpu).toMatchObject({
    status: 'failed',
    detail: expect.stringContaining('sched:sched_switch'),
  });
  expect(checks.trial?.status).toBe('skipped');
  expect(fake.starts()).toEqual([]);
});

test('reports success if a trial has counts', async () => {
  const { status, checks } = await doctorWithAll(replaying(phasesOf('sleepers')));
  expect(checks).toMatchObject({
    offcpu: { status: 'ok' },
    trial: { status: 'ok', detail: expect.stringMatching(/77 waits and 165 system calls/) },
  });
  expect(status).toBe(0);
});

test('reports why the trial failed', async () => {
  const steps = [
    ['stderr', 'ERROR: failed to create map: Operation not permitted'],
    ['exit', 1],
  ] as const;
  const { status, checks } = await doctorWithAll(
    replaying(phasesOf('sleepers'), { at: 'before any output', steps }),
  );
  expect(status).toBe(1);
  expect(checks.trial).toMatchObject({
    status: 'failed',
    detail: expect.stringMatching(/does not permit BPF here: ERROR: failed to create map/),
  });
});

/** On a kernel with all tracepoints that btprof needs. */
async function doctorWithAll(run: Run) {
  fake = command.replay(run);
  tracepoints ??= askedFor();
  makeTracefs(await tracepoints);
  return doctor();
}

/** The same machine for each test. */
let tracepoints: Promise<string[]> | undefined;

/** The report without any tracepoints. */
async function askedFor(): Promise<string[]> {
  makeTracefs([]);
  const { checks } = await doctor();
  return Object.values(checks).flatMap(({ detail }) => detail.match(/\b[a-z_]+:[a-z_]+\b/g) ?? []);
}

async function doctor() {
  const { exitCode, stdout } = await command.start(['doctor', '--json']);
  const checks: { name: string; status: string; detail: string }[] = JSON.parse(stdout).checks;
  return { status: exitCode, checks: Object.fromEntries(checks.map((check) => [check.name, check])) };
}

/** Tracepoints of the test kernel. */
function makeTracefs(names: readonly string[]): void {
  for (const name of ['', ...names])
    mkdirSync(join(fake.dir, 'tracing', 'events', ...name.split(':')), { recursive: true });
}
