import type { Plan, ProgramTarget } from '../../../bt/compose.ts';
import { dialectFor } from '../../../bt/dialect.ts';
import { chooseProfilers, parseWanted } from '../../../bt/profilers/choose.ts';
import { PROFILERS } from '../../../bt/profilers/profiler-registry.ts';

/** One version per dialect that is tested on the kernel. */
export const VERSIONS = ['0.17', '0.23', '0.27'] as const;

/** Profilers as after `-p`. */
export function chosen(list: string): Plan['profilers'] {
  return chooseProfilers(parseWanted(list), PROFILERS);
}

export const ALL = PROFILERS.map(({ name }) => name).join(',');

export const PLAN: Plan = {
  profilers: chosen('offcpu,syscalls'),
  stacks: true,
  stackDepth: 127,
  children: true,
};

/** The context of `btprof run` with the first of these versions. */
export const RUN: ProgramTarget = {
  dialect: dialectFor('bpftrace v0.17.0'),
  arch: 'x86_64',
  btf: true,
  seccomp: true,
  follow: { kind: 'held', pid: 4711, children: true },
  self: 42,
};
export const ATTACH: ProgramTarget = { ...RUN, follow: { kind: 'named', by: 42, children: true } };
export const SCRIPT: ProgramTarget = {
  ...RUN,
  seccomp: false,
  follow: { kind: 'argument', children: true },
  self: undefined,
};
const ALONE: ProgramTarget = { ...RUN, follow: { ...RUN.follow, children: false } };
const OFFCPU: Plan = { ...PLAN, profilers: chosen('offcpu') };
const SYSCALLS: Plan = { ...PLAN, profilers: chosen('syscalls') };

/** A program for each set of options, by its file name in fixtures/programs/VERSION. */
export const PROGRAMS: Readonly<Record<string, readonly [Plan, ProgramTarget]>> = {
  run: [PLAN, RUN],
  attach: [PLAN, ATTACH],
  script: [PLAN, SCRIPT],
  'attach-no-stacks': [{ ...PLAN, stacks: false }, ATTACH],
  'attach-min-block': [{ ...PLAN, profilers: chosen('offcpu:min=1ms,syscalls') }, ATTACH],
  'run-interval': [{ ...PLAN, intervalMs: 100 }, RUN],
  'run-no-follow': [{ ...PLAN, children: false }, ALONE],
  'run-offcpu': [OFFCPU, RUN],
  'run-syscalls': [SYSCALLS, RUN],
  'run-syscalls-no-follow': [{ ...SYSCALLS, children: false }, ALONE],
  'run-syscall-times': [{ ...PLAN, profilers: chosen('offcpu,syscalls:times') }, RUN],
  'attach-syscalls-times': [{ ...SYSCALLS, profilers: chosen('syscalls:times') }, ATTACH],
  'run-oncpu': [{ ...PLAN, profilers: chosen('oncpu') }, RUN],
  'run-all': [{ ...PLAN, profilers: chosen(ALL) }, RUN],
  'run-no-btf': [PLAN, { ...RUN, btf: false }],
  'run-aarch64': [PLAN, { ...RUN, arch: 'aarch64' }],
};
