import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Scope } from '../../../../bt/driver/target.ts';
import { explainFailure, startTracer, type Tracer } from '../../../../bt/driver/tracer.ts';
import { type FakeBpftrace, fakeBpftrace, type Step } from '../../../fake/bpftrace.ts';
import { removeEnded, until } from '../../../fake/processes.ts';

const NO_SETTINGS = { mapEntries: 1, bufferPages: 1, cpus: 1 };

let fake: FakeBpftrace;
afterEach(() => removeEnded(fake));

async function start(steps: readonly Step[], scope: Partial<Scope> = {}) {
  fake = fakeBpftrace([{ recordedPid: 0, steps }]);
  const lines: string[] = [];
  const host = { bpftrace: fake.path, dialect: { environment: () => ({ GIVEN: 'yes' }) } };
  const follow = { kind: 'argument', children: true } as const;
  const tracer = await startTracer(
    host,
    'BEGIN { }',
    NO_SETTINGS,
    { dwarfPids: [], follow, ...scope },
    (line) => lines.push(line),
  );
  return { tracer, lines };
}

describe('the reason why bpftrace ended before its probes were live', () => {
  test.each([
    [
      'stdin:3:1-9: ERROR: tracepoint not found: sched:none',
      'bpftrace finds no tracepoint sched:none.',
      /mount -t tracefs/,
    ],
    [
      'ERROR: No matches for tracepoint raw_syscalls:sys_enter',
      'no tracepoint raw_syscalls:sys_enter.',
      /doctor/,
    ],
    [
      'ERROR: bpftrace currently only supports running as the root user.',
      'bpftrace runs as root only.',
      /with sudo/,
    ],
    [
      'ERROR: failed to create map: Operation not permitted',
      'the kernel does not permit BPF here: ERROR: failed to create map: Operation not permitted',
      /--privileged/,
    ],
    ['open(/sys/kernel/x): Permission denied', 'the kernel does not permit BPF here: open(', /--privileged/],
    [
      'some line\nERROR: Error loading BPF program',
      'bpftrace ended with status 3 before its probes were live: ERROR: Error loading BPF program',
      /--debug/,
    ],
    ['nothing that we know', 'before its probes were live: nothing that we know', /--debug/],
    ['', 'before its probes were live: it wrote nothing', /--debug/],
  ])('is found in %j', async (text, sentence, hint) => {
    const { tracer } = await start([
      ['stderr', `Attaching 12 probes...\n${text}`],
      ['exit', 3],
    ]);
    const error = explainFailure(await tracer.ended, tracer.remarks());
    expect(error.message).toContain(sentence);
    expect(error.hint).toMatch(hint);
    expect(error.status).toBe(125);
  });
});

test('bpftrace gets the program, its options and the environment', async () => {
  const { tracer } = await start([['exit', 0]], {
    dwarfPids: [17, 19],
    follow: { kind: 'held', pid: 1, children: true, entry: { path: '/bin/true', address: 1 } },
  });
  await tracer.ended;
  const [started] = fake.starts();
  expect(started?.program).toBe('BEGIN { }');
  expect(started?.args.join(' ')).toMatch(/-f json .*--unsafe.*--dwarf-pid 17 --dwarf-pid 19/);
  expect(started?.environment.GIVEN).toBe('yes');
});

test('lines arrive whole, even if written in pieces or without a final newline', async () => {
  const { tracer, lines } = await start([
    ['lines', ['one', 'two']],
    ['text', 'thr'],
    ['sleep', 20],
    ['text', 'ee'],
  ]);
  expect(await tracer.ended).toEqual({ code: 0, signal: null });
  expect(lines).toEqual(['one', 'two', 'three']);
});

test('lines on stderr are recorded as remarks, except harmless ones', async () => {
  const remarks = ['Attaching 3 probes...', 'WARNING: x', 'failed to look up stack id 7', '', 'y'];
  const { tracer } = await start([['stderr', remarks.join('\n')]]);
  await tracer.ended;
  expect(tracer.remarks()).toEqual(['WARNING: x', 'y']);
});

test.each([
  [
    'interrupt',
    [
      ['lines', ['ready']],
      ['until', 'interrupted'],
      ['exit', 4],
    ],
    { code: 4, signal: null },
  ],
  [
    'kill',
    [
      ['lines', ['ready']],
      ['hang', true],
    ],
    { code: null, signal: 'SIGKILL' },
  ],
] as const)('%s ends bpftrace', async (how, steps, end) => {
  const { tracer, lines } = await start(steps);
  await until(() => lines.length > 0);
  tracer[how]();
  expect(await tracer.ended).toEqual(end);
  const signals = vi.spyOn(process, 'kill');
  tracer[how]();
  expect(signals.mock.calls).toEqual([]); // another process may have its pid by now
  signals.mockRestore();
});

test('a bpftrace that ignores SIGINT is killed', async () => {
  const { tracer, lines } = await start([
    ['lines', ['ready']],
    ['hang', true],
  ]);
  await until(() => lines.length > 0);
  tracer.interrupt();
  tracer.kill();
  expect(await tracer.ended).toEqual({ code: null, signal: 'SIGKILL' });
});

test.each([
  ['/no/bpftrace', 'cannot start "/no/bpftrace": there is no such command.'],
  ['/etc/passwd', 'cannot start "/etc/passwd": EACCES.'],
])('%s cannot be started, and the error says so', async (path, sentence) => {
  fake = fakeBpftrace([]);
  const host = { bpftrace: path, dialect: { environment: () => ({}) } };
  const scope = { dwarfPids: [], follow: { kind: 'argument', children: true } } as const;
  const starting: Promise<Tracer> = startTracer(host, '', NO_SETTINGS, scope, () => undefined);
  await expect(starting).rejects.toThrow(sentence);
});
