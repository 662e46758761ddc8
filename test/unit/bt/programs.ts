import type { Plan, ProgramContext } from '../../../bt/compose.ts';
import { dialectFor } from '../../../bt/dialect.ts';
import { DEFAULT_PROFILERS } from '../../../bt/profilers/names.ts';
import { PROFILERS, selectProfilers } from '../../../bt/profilers/registry.ts';

/** A version of each dialect that is tested on the kernel. */
export const VERSIONS = ['0.17', '0.23', '0.27'] as const;

export const PLAN: Plan = {
  profilers: selectProfilers(DEFAULT_PROFILERS),
  minBlockNs: 0,
  stacks: true,
  stackDepth: 127,
  children: true,
};

/** The context of `btprof run` on the first of them. */
export const RUN: ProgramContext = {
  dialect: dialectFor('bpftrace v0.17.0'),
  arch: 'x86_64',
  btf: true,
  follow: { kind: 'held', pid: 4711, execs: 2, children: true },
  self: 42,
};
export const ATTACH: ProgramContext = { ...RUN, follow: { kind: 'named', by: 42, children: true } };
export const SCRIPT: ProgramContext = {
  ...RUN,
  follow: { kind: 'argument', children: true },
  self: undefined,
};
const ALONE: ProgramContext = { ...RUN, follow: { ...RUN.follow, children: false } };
const OFFCPU: Plan = { ...PLAN, profilers: selectProfilers(['offcpu']) };
const SYSCALLS: Plan = { ...PLAN, profilers: selectProfilers(['syscalls']) };

/** Every program that options can lead to, by the name of its file in fixtures/programs/VERSION. */
export const PROGRAMS: Readonly<Record<string, readonly [Plan, ProgramContext]>> = {
  run: [PLAN, RUN],
  attach: [PLAN, ATTACH],
  script: [PLAN, SCRIPT],
  'attach-no-stacks': [{ ...PLAN, stacks: false }, ATTACH],
  'attach-min-block': [{ ...PLAN, minBlockNs: 1_000_000 }, ATTACH],
  'run-interval': [{ ...PLAN, intervalMs: 100 }, RUN],
  'run-no-follow': [{ ...PLAN, children: false }, ALONE],
  'run-offcpu': [OFFCPU, RUN],
  'run-syscalls': [SYSCALLS, RUN],
  'run-syscalls-no-follow': [{ ...SYSCALLS, children: false }, ALONE],
  'run-syscall-times': [{ ...PLAN, syscallTimes: true }, RUN],
  'attach-syscalls-times': [{ ...SYSCALLS, syscallTimes: true }, ATTACH],
  'run-oncpu': [{ ...PLAN, profilers: selectProfilers(['oncpu']) }, RUN],
  'run-all': [{ ...PLAN, profilers: PROFILERS }, RUN],
  'run-no-btf': [PLAN, { ...RUN, btf: false }],
  'run-aarch64': [PLAN, { ...RUN, arch: 'aarch64' }],
};
