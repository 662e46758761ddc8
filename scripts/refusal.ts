import { ProcessOutput } from 'zx';
import { BtprofError } from '../metrics/errors.ts';

/** Why a script cannot do its work here: one sentence, followed by the command to type next. */
export class Refusal extends Error {}

/** Runs a script. On failure it exits with status 1 and prints one sentence; only a bug also prints its stack. */
export async function orRefuse<T>(script: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    console.error(`${script}: ${sentenceOf(error)}`);
    process.exit(1);
  }
}

export function sentenceOf(error: unknown): string {
  if (error instanceof Refusal) return error.message;
  if (error instanceof BtprofError) return [error.message, error.hint].filter(Boolean).join(' ');
  if (error instanceof ProcessOutput) return outputSentence(error);
  return `this is a bug: ${error instanceof Error ? error.stack : error}`;
}

function outputSentence({ exitCode, signal, stderr, stdout }: ProcessOutput): string {
  const lines = (stderr.trim() || stdout.trim()).split('\n');
  // Node prints its version after an error, and npm prints update notices.
  const line = lines.find((text) => /^(\w*Error|E): /.test(text)) ?? lines.at(-1);
  return `a command failed with ${signal ?? `status ${exitCode}`}: ${line || 'it printed nothing'}`;
}

/** @throws Refusal if something is missing */
export function requireNothing(missing: readonly string[]): void {
  if (missing.length > 0) throw new Refusal(`this machine lacks ${missing.join('\nIt also lacks ')}`);
}
