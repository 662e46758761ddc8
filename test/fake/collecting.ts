import type { Plan } from '../../bt/compose.ts';
import { dialectFor } from '../../bt/dialect.ts';
import { type Collection, collect } from '../../bt/driver/collect.ts';
import { type Exit, type HeldTarget, holdTarget } from '../../bt/driver/held-target.ts';
import type { Subject } from '../../bt/driver/subject.ts';
import type { Hold } from '../../bt/driver/unwind.ts';
import type { BtprofError } from '../../bt/errors.ts';
import { DEFAULT_PROFILERS } from '../../bt/profilers/names.ts';
import { selectProfilers } from '../../bt/profilers/registry.ts';
import { assembleProfile } from '../../metrics/profile.ts';
import type { Profile } from '../../metrics/schema.ts';
import { tellWhenAsked } from './asked.ts';
import type { FakeBpftrace } from './bpftrace.ts';

export interface Collected {
  readonly profile: Profile;
  /** Why bpftrace ended by itself. */
  readonly failure: BtprofError | undefined;
}

interface Options {
  readonly plan?: Partial<Plan>;
  readonly version?: string;
  readonly hold?: Hold;
  /** Ctrl-C. */
  readonly stop?: Promise<void>;
  readonly debug?: (text: string) => void;
}

/** A host that needs no kernel. */
const HOST = {
  info: { kernel: '6.18.0', arch: 'x86_64', cpus: 2, hostname: 'fake' },
  btf: true,
  possibleCpus: 2,
} as const;

/** Collects a command with a fake bpftrace, as `btprof run` does. */
export async function collectRun(
  fake: FakeBpftrace,
  command: readonly string[],
  options: Options = {},
): Promise<Collected & { exit: Exit }> {
  const target = hold(command);
  try {
    const subject = { kind: 'run', target, cmd: command, executable: command[0] as string } as const;
    const collected = await collecting(fake, subject, options);
    return { ...collected, exit: await target.exited };
  } finally {
    target.abandon();
  }
}

/** Collects processes that run already, as `btprof attach` does. */
export function collectAttached(
  fake: FakeBpftrace,
  pids: readonly number[],
  options: Options = {},
): Promise<Collected> {
  return collecting(fake, { kind: 'attach', pids }, options);
}

/** A process that is held, and becomes the command when it is released. */
export function hold(command: readonly string[]): HeldTarget {
  const words = command.map((word) => Buffer.from(word));
  return holdTarget(words, [Buffer.from('PATH=/usr/bin:/bin')], []);
}

async function collecting(fake: FakeBpftrace, subject: Subject, options: Options): Promise<Collected> {
  const dialect = dialectFor(options.version ?? '0.27.1');
  const stopWatching = tellWhenAsked(fake.asked);
  try {
    const collection = await collect({
      plan: planOf(options.plan),
      host: HOST,
      dialect,
      bpftrace: fake.path,
      version: 'test',
      dwarfPids: [],
      hold: options.hold,
      lines: false,
      symbolCache: undefined,
      selfMeasure: false,
      subject,
      stop: options.stop ?? new Promise(() => undefined),
      onTracer: () => undefined,
      onStart: () => undefined,
      onSample: () => undefined,
      debug: options.debug ?? (() => undefined),
    });
    await collection.close();
    return { profile: profileOf(collection), failure: collection.failure };
  } finally {
    stopWatching();
  }
}

function planOf(changes: Partial<Plan> = {}): Plan {
  const profilers = selectProfilers(DEFAULT_PROFILERS);
  return { profilers, minBlockNs: 0, stacks: false, stackDepth: 127, children: true, ...changes };
}

function profileOf({ recording, facts, ending, symbols }: Collection): Profile {
  return assembleProfile(recording, facts, ending, symbols);
}
