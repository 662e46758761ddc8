/** zod schemas that several parts of a result share. */
import { z } from 'zod';

/** Sums may pass 2^53, where doubles are no longer exact: z.int() would refuse them. */
const whole = z.number().multipleOf(1).nonnegative().meta({ type: 'integer' });
export const count = whole;
export const ns = whole;
export const signed = z.number().multipleOf(1).meta({ type: 'integer' });
export const pid = z.int().nonnegative();
export const share = z.number().min(0).max(1);
export const index = z.int().nonnegative();
/** `PID:TID` */
export const threadKey = z.string().regex(/^\d+:\d+$/);

/** Waits that are added up. */
export const waitSum = z.object({ time_ns: ns, count });
export type WaitSum = z.infer<typeof waitSum>;

export const frame = z.object({
  address: z.string().regex(/^0x[0-9a-f]+$/),
  symbol: z.string().nullable(),
  module: z.string().nullable().describe('file mapped there, or [kernel] and kernel modules in brackets'),
  offset: ns
    .nullable()
    .describe('bytes from the start of the symbol, or of the file when there is no symbol'),
  mapping: index.optional().describe('index into mappings; none for kernel code and JIT-compiled code'),
  file: z.string().nullable().optional().describe('source file; with --lines'),
  line: z.int().positive().nullable().optional().describe('line in the source file; with --lines'),
  inlined: z
    .boolean()
    .optional()
    .describe('whether the function was inlined into that of the next frame; with --lines'),
});

export const mapping = z
  .object({
    start: z.string().regex(/^0x[0-9a-f]+$/),
    end: z.string().regex(/^0x[0-9a-f]+$/),
    file_offset: ns.describe('of start, bytes'),
    path: z.string(),
    build_id: z
      .string()
      .nullable()
      .describe('GNU build ID of the file, hexadecimal; null if it has none or could not be read'),
  })
  .describe('where a file was mapped, as needed to symbolize its addresses on another machine');

export type Frame = z.infer<typeof frame>;
export type MappingRow = z.infer<typeof mapping>;
