import { BtprofError } from '../../metrics/errors.ts';
import { readProfile } from '../../metrics/profile.ts';
import type { Profile } from '../../metrics/schema.ts';
import type { Chosen, Plan } from '../compose.ts';
import type { Dialect } from '../dialect.ts';
import type { Profiler } from '../profilers/profiler.ts';
import { PROFILERS } from '../profilers/profiler-registry.ts';
import { type Check, failed, limited, ok } from './check.ts';
import { collect } from './collect.ts';
import { holdTarget } from './held-target.ts';
import { readMachine } from './host.ts';

const COMMAND = ['sleep', '0.05'];
const TRIED = `'${COMMAND.join(' ')}'`;

/** Profiles `sleep`, as `btprof run` does, and checks the counts and the stack. */
export async function trialRun(bpftrace: string, dialect: Dialect): Promise<[string, Check][]> {
  const profilers = PROFILERS.filter(({ isDefault }) => isDefault).map(withoutOptions);
  try {
    const profile = await profileSleep(profilers, bpftrace, dialect);
    const events = profilers.map(({ profiler }) => profiler.events(profile.ebpf[profiler.name]));
    if (events.some(({ count }) => count === 0))
      return [
        [
          'trial',
          failed(`a profile of ${TRIED} came out empty`, `btprof run --debug -- ${COMMAND.join(' ')}`),
        ],
      ];
    const texts = events.map(({ text }) => text).join(' and ');
    return [['trial', ok(`${texts} of ${TRIED} seen`)], ...userStacks(profilers, profile)];
  } catch (error) {
    if (!(error instanceof BtprofError)) throw error;
    return [['trial', failed(error.message, error.hint ?? null)]];
  }
}

function withoutOptions(profiler: Profiler): Chosen {
  return { profiler, options: {} };
}

async function profileSleep(
  profilers: readonly Chosen[],
  bpftrace: string,
  dialect: Dialect,
): Promise<Profile> {
  const environment = [`PATH=${process.env.PATH ?? '/usr/bin:/bin'}`];
  const held = holdTarget(COMMAND.map(bytesOf), environment.map(bytesOf), []);
  try {
    const plan: Plan = { profilers, stacks: true, stackDepth: 127, children: true };
    const host = { ...readMachine(), bpftrace, dialect, btprof: '' };
    const target = { kind: 'run', held, cmd: COMMAND, executable: 'sleep' } as const;
    const observer = { stop: new Promise<void>(() => undefined), debug: () => undefined };
    const { result, resolve } = await collect(plan, host, target, observer);
    const collection = await result;
    await collection.close();
    const { requests, assemble } = readProfile(collection, collection.ending);
    return assemble(await resolve(requests));
  } finally {
    held.abandon();
  }
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text);
}

/** Minimum number of frames with a module in a useful user stack. */
const USABLE_FRAMES = 3;

/** Checks the user stack in which most of the time was spent, with the first profiler that has stacks. */
function userStacks(profilers: readonly Chosen[], { ebpf }: Profile): [string, Check][] {
  const stacks = profilers.flatMap(({ profiler }) =>
    profiler.stacks ? [{ view: profiler.stacks, part: ebpf[profiler.name] }] : [],
  );
  return stacks.slice(0, 1).map(({ view, part }) => {
    const frames = view.frames(part);
    const [longest] = view.rows(part).sort((a, b) => b.timeNs - a.timeNs);
    const user = (longest?.user ?? []).map((index) => frames[index]);
    const cut = user.findIndex((frame) => !frame?.module);
    return ['user_stacks', stackCheck(cut < 0 ? user.length : cut)];
  });
}

function stackCheck(usable: number): Check {
  const detail = `usable frames in the stack of 'sleep': ${usable}`;
  if (usable >= USABLE_FRAMES) return ok(detail);
  return limited(
    `${detail}; the libraries of this system are built without frame pointers, so callers are missing`,
    'make CFLAGS=-fno-omit-frame-pointer, for the program that you profile',
  );
}
