import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { entryOf } from '../../../../bt/driver/entry.ts';
import type { StopAtEntry } from '../../../../bt/driver/unwind.ts';
import {
  type FakeBpftrace,
  fakeBpftrace,
  phasesOf,
  type Run,
  replaying,
  type Step,
} from '../../../fake/bpftrace.ts';
import { collectRun } from '../../../fake/collecting.ts';
import { removeEnded } from '../../../fake/processes.ts';

const PHASES = phasesOf('sleepers-no-stacks');
const { recordedPid, attaching, ready, events, stop, maps, end } = PHASES;
/** It waits until it has been stopped. Its exit status shows that it then ran to its own end. */
const WAITING = 'until [ -e "$0" ]; do sleep 0.01; done; exit 3';
const HELD: Step = ['touch', 'held'];
const STOP: StopAtEntry = { entry: entryOf(realpathSync('/bin/sh')), isNeeded: () => true };

const began = events.findIndex((line) => line.includes('["exec"'));
const entry = `{"type": "value", "data": ["entry",${timeOf(events[began]) + 1},${recordedPid}]}`;

/** The first bpftrace stops the command at its entry. */
const AT_ENTRY: readonly Step[] = [
  ['lines', [...attaching, ready]],
  ['until', 'running'],
  ['stopTarget', true],
  ['until', 'stopped'],
  HELD,
  ['lines', [...events.slice(0, began + 1), entry]],
];
const PRINT: readonly Step[] = [
  ['until', 'requested'],
  ['lines', [stop, ...maps, end]],
  ['until', 'interrupted'],
];
const FIRST: Run = { recordedPid, steps: [...AT_ENTRY, ...PRINT] };

let fake: FakeBpftrace;
afterEach(() => removeEnded(fake, { targets: true }));

function collect(runs: readonly Run[], stopAtEntry: StopAtEntry = STOP, stop?: Promise<void>) {
  fake = fakeBpftrace(runs);
  return collectRun(fake, ['/bin/sh', '-c', WAITING, join(fake.dir, 'held')], {
    stopAtEntry,
    ...(stop ? { stop } : {}),
  });
}

describe('a command for which DWARF unwinding is planned', () => {
  test('is stopped at its entry point, and a second bpftrace continues the counts of the first', async () => {
    const start = `{"type": "value", "data": ["start",${timeOf(events[began]) + 2}]}`;
    const second: Run = {
      recordedPid,
      steps: [
        ['lines', [...attaching, ready, start, ...events.slice(began + 1)]],
        ['until', 'gone'],
        ...PRINT,
      ],
    };
    const { profile, failure, exit } = await collect([FIRST, second]);
    expect({ failure, exit }).toEqual({ failure: undefined, exit: { code: 3, signal: null } });
    expect(fake.starts()).toHaveLength(2);
    expect(fake.starts()[1]?.args).toContain('--dwarf-pid');
    // Each counted 69 sleeps, because both replay the same maps.
    expect(profile.ebpf.syscalls?.by_syscall.clock_nanosleep).toEqual({ count: 138 });
  });

  test('continues under the first bpftrace if it does not need DWARF', async () => {
    const { failure, exit } = await collect([FIRST], { ...STOP, isNeeded: () => false });
    expect({ failure, exit }).toEqual({ failure: undefined, exit: { code: 3, signal: null } });
    expect(fake.starts()).toHaveLength(1);
  });

  test('gets a warning about frame pointers if it never reaches its entry', async () => {
    const { profile, failure, exit } = await collect([
      { recordedPid, steps: [HELD, ...replaying(PHASES).steps] },
    ]);
    expect({ failure, exit }).toEqual({ failure: undefined, exit: { code: 3, signal: null } });
    expect(profile.quality.warnings.join()).toMatch(/frame pointers/);
  });
});

describe('the command continues', () => {
  test.each([
    [
      'the first bpftrace ends before it reports that it stopped the command',
      [{ recordedPid, steps: [...AT_ENTRY.slice(0, -1), ['kill', 'SIGSEGV']] }],
    ],
    [
      'the first one ends while the command is stopped',
      [
        { recordedPid, steps: [...AT_ENTRY, ['kill', 'SIGSEGV']] },
        { recordedPid, steps: [['exit', 1]] },
      ],
    ],
    [
      'the first one ends while it prints its maps',
      [
        {
          recordedPid,
          steps: [...AT_ENTRY, ['until', 'requested'], ['lines', [stop]], ['kill', 'SIGSEGV']],
        },
        { recordedPid, steps: [['lines', [...attaching, ready]], ['until', 'gone'], ...PRINT] },
      ],
    ],
    ['the second one does not start', [FIRST, { recordedPid, steps: [['exit', 1]] }]],
    [
      'the second one ends',
      [
        FIRST,
        {
          recordedPid,
          steps: [
            ['lines', [...attaching, ready]],
            ['exit', 0],
          ],
        },
      ],
    ],
  ] as [string, Run[]][])('if %s, and that is reported', async (_, runs) => {
    const { profile, failure, exit } = await collect(runs);
    expect(exit).toEqual({ code: 3, signal: null });
    expect(failure?.message).toMatch(/^bpftrace ended (by SIGSEGV|with status [01]) /);
    expect(profile.metadata.incomplete).toBe(true);
  });

  test('if the second one hangs until Ctrl-C', async () => {
    let interrupt = () => {};
    const stop = new Promise<void>((resolve) => {
      interrupt = resolve;
    });
    const collecting = collect([FIRST, { recordedPid, steps: [['hang', true]] }], STOP, stop);
    while (fake.starts().length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    interrupt();
    const { failure, exit } = await collecting;
    expect(exit).toEqual({ code: 3, signal: null });
    expect(failure?.message).toMatch(/interrupted while the command was held at its entry/);
  });
});

/** The time of an event in ns. */
function timeOf(line: string | undefined): number {
  return Number(/\["\w+",(\d+)/.exec(line ?? '')?.[1]);
}
