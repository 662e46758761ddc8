import {
  chmodSync,
  chownSync,
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isSameFile, openResult, refuseInput } from '../../../cli/result-output.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'btprof-result-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const at = (name: string) => join(dir, name);
const read = (name: string) => readFileSync(at(name), 'utf8');
const modeOf = (name: string) => statSync(at(name)).mode & 0o777;

test('a new result is for its owner alone', () => {
  const sink = openResult(at('new.json'));
  expect(readdirSync(dir)).toEqual([]);
  sink.write('whole');
  sink.close();
  expect([read('new.json'), modeOf('new.json'), readdirSync(dir)]).toEqual(['whole', 0o600, ['new.json']]);
});

test('an old file stays whole until the new result is, and keeps its mode', () => {
  writeFileSync(at('old.json'), 'old');
  chmodSync(at('old.json'), 0o640);
  const sink = openResult(at('old.json'));
  sink.write('new');
  expect(read('old.json')).toBe('old');
  sink.close();
  expect([read('old.json'), modeOf('old.json'), readdirSync(dir)]).toEqual(['new', 0o640, ['old.json']]);
});

test('a result that is never finished leaves the old file, and nothing beside it', () => {
  writeFileSync(at('old.json'), 'old');
  const before = process.listeners('exit');
  openResult(at('old.json')).write('half');
  const [remove] = process.listeners('exit').filter((listener) => !before.includes(listener));
  remove?.(0);
  process.off('exit', remove as () => void);
  expect([read('old.json'), readdirSync(dir)]).toEqual(['old', ['old.json']]);
});

test('a symbolic link stays one: its file is replaced', () => {
  writeFileSync(at('file.json'), 'old');
  symlinkSync('file.json', at('link.json'));
  const sink = openResult(at('link.json'));
  sink.write('new');
  sink.close();
  expect([read('file.json'), read('link.json'), readdirSync(dir).length]).toEqual(['new', 'new', 2]);
});

test('a result that cannot be put in its place is an error, and leaves nothing', () => {
  const sink = openResult(at('new.json'));
  sink.write('whole');
  mkdirSync(at('new.json'));
  expect(sink.close).toThrow(`cannot write "${at('new.json')}": EISDIR.`);
  expect(readdirSync(dir)).toEqual(['new.json']);
});

test('a result that grows replaces an old file with its first piece, and has each piece at once', () => {
  writeFileSync(at('old.jsonl'), 'old, and longer');
  const reader = openSync(at('old.jsonl'), 'r');
  const sink = openResult(at('old.jsonl'), { grows: true });
  expect(read('old.jsonl')).toBe('old, and longer');
  sink.write('piece');
  expect([read('old.jsonl'), readFileSync(reader, 'utf8')]).toEqual(['piece', 'old, and longer']);
  sink.write('s');
  sink.close();
  closeSync(reader);
  expect([read('old.jsonl'), readdirSync(dir)]).toEqual(['pieces', ['old.jsonl']]);
});

test.skipIf(process.geteuid?.() !== 0)('a file of another user becomes ours, and is for us alone', () => {
  writeFileSync(at('other.json'), 'old');
  chmodSync(at('other.json'), 0o666);
  chownSync(at('other.json'), 12345, 12345);
  const sink = openResult(at('other.json'));
  sink.write('new');
  sink.close();
  expect([read('other.json'), modeOf('other.json'), statSync(at('other.json')).uid]).toEqual([
    'new',
    0o600,
    0,
  ]);
});

test('a link to a file that is not there yet stays one, and a loop of links is an error', () => {
  symlinkSync('later.json', at('link.json'));
  const sink = openResult(at('link.json'));
  sink.write('new');
  sink.close();
  expect([read('later.json'), readdirSync(dir).length, modeOf('later.json')]).toEqual(['new', 2, 0o600]);
  symlinkSync('loop.json', at('loop.json'));
  expect(() => openResult(at('loop.json'))).toThrow(`cannot write "${at('loop.json')}": ELOOP.`);
});

test('a device is written in place', () => {
  const sink = openResult('/dev/full');
  expect(() => sink.write('x')).toThrow('cannot write to "/dev/full": ENOSPC.');
});

test.each(['missing/new.json', '.'])('%s: is refused before anything is written', (name) => {
  expect(() => openResult(at(name))).toThrow(/^cannot write /);
});

test('the output is no input, under whatever name', () => {
  writeFileSync(at('input.json'), '{}');
  linkSync(at('input.json'), at('hard.json'));
  symlinkSync('input.json', at('soft.json'));
  for (const name of ['input.json', 'hard.json', 'soft.json'])
    expect(() => refuseInput(at(name), [at('other.json'), at('input.json')])).toThrow(
      `--output "${at(name)}" is the input "${at('input.json')}".`,
    );
  refuseInput(at('new.json'), [at('input.json'), '-']);
  symlinkSync('new.json', at('dangling.json'));
  expect(isSameFile(at('dangling.json'), at('new.json'))).toBe(true);
  expect(isSameFile(at('dangling.json'), at('other.json'))).toBe(false);
});
