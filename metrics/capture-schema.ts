/** Schemas of the records of a capture. They are validated because a file may be damaged, or come from anywhere. */
import { z } from 'zod';
import type { Ending, Facts } from './facts.ts';
import { decodeSpaces } from './mappings.ts';
import type { ResolvedSymbols } from './symbols.ts';

const number = z.number();
const whole = z.int().nonnegative();
const text = z.string();

const kernelPlace = z.object({ symbol: text, offset: whole, module: text.optional() });
const cpu = z.object({ onCpuNs: number, runDelayNs: number });
const thread = z.object({
  pid: whole,
  tid: whole,
  comm: text,
  state: text,
  blocked: z
    .object({ kernel: z.array(kernelPlace.extend({ address: text })), user: text.regex(/^[0-9a-f]*$/) })
    .optional(),
  filtered: z.boolean().optional(),
  namedNs: whole.optional(),
  cpu: cpu.optional(),
});

const facts = z.object({
  mode: z.enum(['run', 'attach', 'system']),
  pids: z.array(whole),
  cmd: z.array(text),
  executable: text.nullable(),
  t0Ms: whole,
  host: z.object({ kernel: text, arch: z.enum(['x86_64', 'aarch64']), cpus: whole, hostname: text }),
  btprof: text,
  bpftrace: text,
  profilers: z.array(text),
  options: z.record(text, z.record(text, z.unknown())).optional(),
  syscallTimes: z.boolean().optional(),
  stacks: z.boolean(),
  btf: z.boolean(),
  stackDepth: whole,
  dwarfPids: z.array(whole),
  dwarfGeneration: whole,
  unwindsDwarf: z.enum(['yes', 'too old', 'no']),
  room: z.record(text, number),
  named: z.array(thread),
}) satisfies z.ZodType<Facts>;

/** @param profilers names of those that captures may be of */
export function factsSchemaOf(profilers: readonly string[]): z.ZodType<Facts> {
  return facts.extend({ profilers: z.array(z.enum(profilers)) });
}

export const mappingsSchema = z.record(text, text).transform(decodeSpaces);

export const endingSchema = z.object({
  elapsedNs: whole,
  exit: z.object({ code: z.int().nullable(), signal: text.nullable() }).nullable(),
  incomplete: z.boolean(),
  alive: z.array(thread),
  aliveAgeNs: whole.optional(),
  mappings: mappingsSchema,
  perfMaps: z.array(whole),
  skippedRuns: whole,
  programTime: z.object({ timeNs: whole, runs: whole, timedNs: whole.optional() }).nullable().optional(),
  untimed: text.optional(),
  footprint: z
    .object({ cpuNs: whole, btprofBytes: whole, bpftraceBytes: whole, mapBytes: whole })
    .nullable()
    .optional(),
  warnings: z.array(text),
}) satisfies z.ZodType<Ending>;

const userPlace = z.object({ symbol: text, offset: whole });
const line = z.object({ function: text.nullable(), file: text.nullable(), line: z.int().nullable() });

export const symbolsSchema = z.object({
  kernel: z.record(text, kernelPlace),
  user: z.record(text, userPlace),
  frameless: z.record(text, z.boolean()),
  uncalled: z.record(text, z.boolean()).default({}),
  buildIds: z.record(text, text),
  jit: z.record(text, userPlace.extend({ module: text })),
  demangled: z.record(text, text),
  lines: z.record(text, z.array(line)).optional(),
  problems: z.array(text),
}) satisfies z.ZodType<ResolvedSymbols>;

/** The rules of `--idle-match`, which apply to results by default. */
export const idleSchema = z.array(z.object({ pattern: text, idle: z.boolean() }));

export const headSchema = z.object({ kind: z.literal('capture'), version: z.int().positive(), btprof: text });
