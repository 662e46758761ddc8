import { readFileSync } from 'node:fs';
import { constants, gunzipSync } from 'node:zlib';
import { PROFILERS } from '../bt/profilers/profiler-registry.ts';
import { BtprofError } from '../metrics/errors.ts';
import { type Profile, schemasOf } from '../metrics/schema.ts';
import { stackParts } from '../metrics/timed-stacks.ts';

/**
 * Reads a result: a JSON document, the last line of JSON lines (both also compressed by gzip), or a capture.
 *
 * @param path `-` for standard input
 * @throws BtprofError when it is not a result, or cannot be read
 */
export async function readResult(path: string): Promise<Profile> {
  const bytes = readBytes(path);
  if (isCapture(bytes)) return readCaptured(path);
  const text = textOf(path, bytes);
  return profileOf(path, documentOf(path, text));
}

const HINT = "Give a file that 'btprof run --json -o FILE' or 'btprof run --capture FILE' wrote.";

function failure(path: string, what: string, hint = HINT): BtprofError {
  return new BtprofError(`${path === '-' ? 'standard input' : JSON.stringify(path)} ${what}.`, hint);
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path === '-' ? 0 : path);
  } catch (error) {
    const { code = String(error) } = error as NodeJS.ErrnoException;
    const words: Record<string, string> = {
      ENOENT: 'it does not exist',
      EACCES: 'permission denied',
      EISDIR: 'it is a directory',
    };
    throw failure(path, `cannot be read: ${words[code] ?? code}`);
  }
}

function isGzip(bytes: Buffer): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** Compressed bytes that are enough for the first line. */
const BEGINNING = 4096;

/** A capture says so in its first line: `{"kind":"capture",…}`. */
function isCapture(bytes: Buffer): boolean {
  if (!isGzip(bytes)) return false;
  try {
    const begin = gunzipSync(bytes.subarray(0, BEGINNING), { finishFlush: constants.Z_SYNC_FLUSH });
    return /^\s*\{\s*"kind"\s*:\s*"capture"/.test(begin.toString('latin1', 0, 200));
  } catch {
    return false;
  }
}

async function readCaptured(path: string): Promise<Profile> {
  if (path === '-')
    throw failure(
      path,
      'is a capture, and captures can only be read from a file',
      'Give the name of the file.',
    );
  const { capturedProfile, readCapture } = await import('./capture-file.ts');
  return capturedProfile(await readCapture(path));
}

function textOf(path: string, bytes: Buffer): string {
  try {
    return (isGzip(bytes) ? gunzipSync(bytes) : bytes).toString('utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const words: Record<string, string> = {
      Z_BUF_ERROR: 'is truncated',
      Z_DATA_ERROR: `is a damaged gzip file (${message})`,
      ERR_BUFFER_TOO_LARGE: 'is too large',
      ERR_STRING_TOO_LONG: 'is too large',
    };
    throw failure(path, words[code ?? ''] ?? `cannot be read: ${code ?? message}`);
  }
}

/** Parses the whole text as JSON, or else its last line. */
function documentOf(path: string, text: string): unknown {
  const content = text.replace(/^\ufeff/, '').trim();
  if (content === '') throw failure(path, 'is empty');
  const whole = tryParse(content);
  if (whole.ok) return whole.value;
  const lines = content.split('\n');
  const first = tryParse(lines[0] as string);
  if (!first.ok) throw failure(path, notJson(content, whole.message));
  const last = tryParse(lines.at(-1) as string);
  if (!last.ok) throw failure(path, 'is truncated: its last line is not JSON');
  if (kindOf(last.value) !== 'profile') {
    throw failure(path, 'is truncated: its last line is not of kind "profile"');
  }
  return last.value;
}

function tryParse(
  text: string,
): { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly message: string } {
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch (error) {
    return { ok: false, message: (error as Error).message };
  }
}

function notJson(content: string, message: string): string {
  if (!content.startsWith('{')) return `is not JSON: it begins with ${excerpt(content)}`;
  const position = /position (\d+)/.exec(message)?.[1];
  const atEnd = Number(position) >= content.length;
  if (atEnd || /Unexpected end|Unterminated|end of data/.test(message)) {
    return 'is truncated: its JSON does not end';
  }
  return `is damaged: it is not valid JSON${position ? ` at position ${position}` : ''}`;
}

function kindOf(value: unknown): unknown {
  const isObject = typeof value === 'object' && value !== null;
  return isObject && Object.hasOwn(value, 'kind') ? (value as { kind: unknown }).kind : undefined;
}

/** The beginning of a text, without control characters. */
function excerpt(text: string): string {
  const begin = text.slice(0, 40);
  return JSON.stringify(begin).replace(/[^\x20-\x7e]/g, '?');
}

function profileOf(path: string, document: unknown): Profile {
  const kind = kindOf(document);
  if (kind === undefined) throw failure(path, 'is JSON, but not a result of btprof: it has no field "kind"');
  if (kind !== 'profile')
    throw failure(path, `is of kind ${excerpt(String(kind))}; only profiles can be compared`);
  const { schema } = document as { schema?: unknown };
  if (schema !== 'btprof/1') {
    const hint = 'Use the version of btprof that wrote it, or a newer one.';
    throw failure(
      path,
      `has the schema ${excerpt(String(schema))}; this version of btprof reads "btprof/1"`,
      hint,
    );
  }
  const parsed = schemasOf(PROFILERS).profileSchema.safeParse(document);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = excerpt(issue?.path.join('.') ?? '');
    throw failure(path, `is damaged: ${where} does not match the schema (${excerpt(issue?.message ?? '')})`);
  }
  requireFrames(path, parsed.data);
  return parsed.data;
}

/** Checks that the frames of each stack are in the table of frames. */
function requireFrames(path: string, profile: Profile): void {
  for (const { name, stacks } of stackParts(profile, PROFILERS)) {
    const part = profile.ebpf[name];
    const { length } = stacks?.frames(part) ?? [];
    const isWithin = (index: number) => index < length;
    const rows = stacks?.rows(part) ?? [];
    if (rows.every(({ user, kernel }) => user.every(isWithin) && kernel.every(isWithin))) continue;
    throw failure(path, `is damaged: a stack refers to a frame beyond the table of ${length}`);
  }
}
