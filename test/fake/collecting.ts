import type { Plan } from '../../bt/compose.ts';
import { dialectFor } from '../../bt/dialect.ts';
import { collect } from '../../bt/driver/collect.ts';
import { type Exit, type HeldTarget, holdTarget } from '../../bt/driver/held-target.ts';
import type { Target } from '../../bt/driver/target.ts';
import type { StopAtEntry } from '../../bt/driver/unwind.ts';
import { PROFILERS } from '../../bt/profilers/profiler-registry.ts';
import type { BtprofError } from '../../metrics/errors.ts';
import { readProfile } from '../../metrics/profile.ts';
import type { Profile } from '../../metrics/schema.ts';
import type { FakeBpftrace } from './bpftrace.ts';
import { withRequestFile } from './request-file.ts';

export interface Collected {
  readonly profile: Profile;
  /** Why bpftrace ended by itself. */
  readonly failure: BtprofError | undefined;
}

interface Options {
  readonly plan?: Partial<Plan>;
  readonly version?: string;
  readonly stopAtEntry?: StopAtEntry | undefined;
  /** Ctrl-C. */
  readonly stop?: Promise<void>;
  readonly debug?: (text: string) => void;
  /** Called once the collection has begun. */
  readonly begun?: () => void;
}

/** A machine that needs no kernel features. */
const MACHINE = {
  info: { kernel: '6.18.0', arch: 'x86_64', cpus: 2, hostname: 'fake' },
  btf: true,
  seccomp: true,
  possibleCpus: 2,
} as const;

/** Collects a command with a fake bpftrace, as `btprof run` does. */
export async function collectRun(
  fake: FakeBpftrace,
  command: readonly string[],
  options: Options = {},
): Promise<Collected & { exit: Exit }> {
  const held = hold(command);
  const { stopAtEntry } = options;
  try {
    const executable = command[0] as string;
    const target = { kind: 'run', held, cmd: command, executable, stopAtEntry } as const;
    const collected = await collecting(fake, target, options);
    return { ...collected, exit: await held.exited };
  } finally {
    held.abandon();
  }
}

/** Collects running processes, as `btprof attach` does. */
export function collectAttached(
  fake: FakeBpftrace,
  pids: readonly number[],
  options: Options = {},
): Promise<Collected> {
  return collecting(fake, { kind: 'attach', pids }, options);
}

/** A process that is held until it is released, and then becomes the command. */
export function hold(command: readonly string[]): HeldTarget {
  const words = command.map((word) => Buffer.from(word));
  return holdTarget(words, [Buffer.from('PATH=/usr/bin:/bin')], []);
}

async function collecting(fake: FakeBpftrace, target: Target, options: Options): Promise<Collected> {
  const dialect = dialectFor(options.version ?? '0.27.1');
  const host = { ...MACHINE, bpftrace: fake.path, dialect, btprof: 'test' };
  const { stop = new Promise(() => undefined), debug = () => undefined } = options;
  return withRequestFile(fake.requestFile, async () => {
    const { result, resolve } = await collect(planOf(options.plan), host, target, { stop, debug });
    options.begun?.();
    const collection = await result;
    await collection.close();
    const { requests, assemble } = readProfile(collection, collection.ending);
    return { profile: assemble(await resolve(requests)), failure: collection.failure };
  });
}

function planOf(changes: Partial<Plan> = {}): Plan {
  const profilers = PROFILERS.filter(({ isDefault }) => isDefault).map((profiler) => ({
    ...{ profiler, options: {} },
  }));
  return { profilers, stacks: false, stackDepth: 127, children: true, ...changes };
}
