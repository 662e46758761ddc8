import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import type { FakeBpftrace, Run, Step } from '../../../fake/bpftrace.ts';

vi.hoisted(() => vi.resetModules());
afterAll(() => void vi.resetModules());
vi.mock('../../../../bt/driver/silence.ts', { spy: true });

const { longestSilenceMs } = await import('../../../../bt/driver/silence.ts');
const { entryOf } = await import('../../../../bt/driver/entry.ts');
const { fakeBpftrace, phasesOf, replaying } = await import('../../../fake/bpftrace.ts');
const { collectAttached, collectRun, hold } = await import('../../../fake/collecting.ts');
const { removeEnded } = await import('../../../fake/processes.ts');

const PHASES = phasesOf('sleepers-no-stacks');
const { recordedPid, attaching, ready, events, stop, maps, end } = PHASES;
const COMMAND = ['sh', '-c', 'exit 3'];
const HANG: Step = ['hang', true];
const BEGINNING: readonly Step[] = [
  ['lines', [...attaching, ready, ...events]],
  ['until', 'requested'],
];
const SILENT = 'bpftrace printed nothing for 2 s and was killed';
const LOST = `${SILENT} before it printed its maps: the counts are lost.`;
const LACKS = `${SILENT} while it printed its maps: the result lacks some of them.`;

vi.mocked(longestSilenceMs).mockReturnValue(2000);

const fakes: FakeBpftrace[] = [];
function start(...runs: readonly Run[]): FakeBpftrace {
  const fake = fakeBpftrace(runs);
  fakes.push(fake);
  return fake;
}
afterAll(() => Promise.all(fakes.map((fake) => removeEnded(fake))));

// These tests wait for seconds, so they run concurrently.
describe.concurrent('a silent bpftrace is killed, and the result says what is missing', () => {
  test('after the command has ended; what was printed is in the result', async () => {
    const run = replaying(PHASES, { at: 'in the middle of a map', steps: [HANG] });
    const { profile, failure, exit } = await collectRun(start(run), COMMAND);
    expect(exit).toEqual({ code: 3, signal: null });
    expect(failure).toMatchObject({ message: LACKS, status: 125 });
    expect(profile.metadata).toMatchObject({ incomplete: true });
    expect(profile.quality.warnings).toContain(LACKS);
    expect(profile.ebpf.syscalls?.total).toBeGreaterThan(0);
  });

  test('before its probes are live: then there is no result, and the command never runs', async () => {
    const run = replaying(PHASES, { at: 'while attaching', steps: [HANG] });
    await expect(collectRun(start(run), COMMAND)).rejects.toMatchObject({
      message: 'bpftrace printed nothing for 2 s before its probes were live, and was killed.',
      status: 125,
    });
  });

  test('after an interrupt, if it prints its maps but does not end', async () => {
    const steps: Step[] = [
      ['lines', [...attaching, ready, ...events]],
      ['until', 'interrupted'],
      ['lines', [stop, ...maps]],
      HANG,
    ];
    const { profile, failure } = await collectRun(start({ recordedPid, steps }), COMMAND);
    expect(failure?.message).toBe(LACKS);
    expect(profile.ebpf.syscalls?.by_syscall.clock_nanosleep).toEqual({ count: 69 });
  });

  test('after --duration, if it has printed nothing since it was ready', async () => {
    const steps: Step[] = [['lines', [...attaching, ready]], HANG];
    const { profile, failure } = await attach(steps, { plan: { durationMs: 50 } });
    expect(failure).toMatchObject({ message: LOST, status: 125 });
    expect(profile.metadata).toMatchObject({ mode: 'attach', incomplete: true });
  });

  test('after Ctrl-C, if it hangs between two maps', async () => {
    let interrupt = () => {};
    const pressed = new Promise<void>((resolve) => {
      interrupt = resolve;
    });
    const debug = (text: string) => (text.startsWith('probes live') ? interrupt() : undefined);
    const { failure } = await attach([...BEGINNING, ['lines', [stop, ...maps.slice(0, 2)]], HANG], {
      ...{ stop: pressed, debug },
    });
    expect(failure?.message).toBe(LACKS);
  });

  async function attach(steps: readonly Step[], options: Parameters<typeof collectAttached>[2]) {
    const target = hold(['true']);
    const run = { recordedPid, pid: target.pid, steps };
    return await collectAttached(start(run), [target.pid], options).finally(target.abandon);
  }

  test('while it holds the command at its entry; the command continues', async () => {
    const began = events.findIndex((line) => line.includes('["exec"'));
    const at = Number(/\["\w+",(\d+)/.exec(events[began] ?? '')?.[1]);
    const entry = `{"type": "value", "data": ["entry",${at + 1},${recordedPid}]}`;
    const steps: Step[] = [
      ['lines', [...attaching, ready]],
      ['until', 'running'],
      ['stopTarget', true],
      ['until', 'stopped'],
      ['touch', 'held'],
      ['lines', [...events.slice(0, began + 1), entry]],
      ['until', 'requested'],
      ['lines', [stop]],
      HANG,
    ];
    const fake = start({ recordedPid, steps }, replaying(PHASES));
    const stopAtEntry = { entry: entryOf(realpathSync('/bin/sh')), isNeeded: () => true };
    const waiting = [
      '/bin/sh',
      '-c',
      'until [ -e "$0" ]; do sleep 0.01; done; exit 3',
      join(fake.dir, 'held'),
    ];
    const { profile, failure, exit } = await collectRun(fake, waiting, { stopAtEntry });
    expect(exit).toEqual({ code: 3, signal: null });
    expect(failure?.message).toBe(LACKS);
    expect(profile.metadata.incomplete).toBe(true);
  });
});

describe.concurrent('a slow bpftrace is not killed', () => {
  const PIECE_MS = 700;

  test('while it prints a long line before the maps', async () => {
    const said: string[] = [];
    const pieces = Array.from({ length: 6 }, (): Step[] => [
      ['text', '-'],
      ['sleep', PIECE_MS],
    ]);
    const rest: Step[] = [
      ['lines', ['', stop, ...maps, end]],
      ['until', 'interrupted'],
    ];
    const steps = [...BEGINNING, ...pieces.flat(), ...rest];
    const debug = (text: string) => said.push(text);
    const { failure } = await collectRun(start({ recordedPid, steps }), COMMAND, { debug });
    expect(failure).toBeUndefined();
    expect(said.join('\n')).not.toMatch(/interrupting/);
  });

  test('if it does not notice the request for its maps: it is interrupted, and prints them', async () => {
    const steps: Step[] = [
      ['lines', [...attaching, ready, ...events]],
      ['until', 'interrupted'],
      ['lines', [stop, ...maps]],
      ['exit', 0],
    ];
    const { profile, failure } = await collectRun(start({ recordedPid, steps }), COMMAND);
    expect(failure).toBeUndefined();
    expect(profile.ebpf.syscalls?.by_syscall.clock_nanosleep).toEqual({ count: 69 });
  });

  test('while it prints a map in pieces', async () => {
    const [first = '', ...others] = maps;
    const length = Math.ceil(first.length / 4);
    const pieces = [0, 1, 2, 3].map((i): Step[] => [
      ['text', first.slice(i * length, (i + 1) * length)],
      ['sleep', PIECE_MS],
    ]);
    const rest: Step[] = [
      ['lines', ['', ...others, end]],
      ['until', 'interrupted'],
    ];
    const steps: Step[] = [...BEGINNING, ['lines', [stop]], ...pieces.flat(), ...rest];
    const { profile, failure } = await collectRun(start({ recordedPid, steps }), COMMAND);
    expect(failure).toBeUndefined();
    expect(profile.metadata).toMatchObject({ incomplete: false });
  });
});

test('large maps extend the time limit', async () => {
  const real = await vi.importActual<typeof import('../../../../bt/driver/silence.ts')>(
    '../../../../bt/driver/silence.ts',
  );
  expect([65_536, 10_000_000].map(real.longestSilenceMs).map(Math.round)).toEqual([63_277, 560_000]);
});
