import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { type MappingCache, newMappingCache } from '../../../../bt/symbols/mapping-cache.ts';
import { newObjectFiles, type ObjectFiles } from '../../../../bt/symbols/object-files.ts';
import { encodeSpace, encodeSpaces, type MappingTexts } from '../../../../metrics/mappings.ts';
import { parseMaps } from '../../../../parsers/proc.ts';
import type { StreamEvent } from '../../../../parsers/stream.ts';
import { codeMappings, newWorkshop, type RealFile, realFile, runSelf } from './real-programs.ts';

/** Above the largest possible pid, so /proc has nothing about it. */
const GONE = 2 ** 22 + 1;
const at = 7;
const A: RealFile = { file: 'fe:00 11', device: 0xfe00000, inode: 11, names: [] };
const B: RealFile = { file: 'fe:00 12', device: 0xfe00000, inode: 12, names: [] };

const exec = (pid: number, generation = 1): StreamEvent => ({
  type: 'exec',
  at,
  pid,
  generation,
  comm: 'x',
});
const exit = (pid: number): StreamEvent => ({
  ...{ type: 'exit', at, pid, tid: pid, start: 0, comm: 'x', cpu: undefined, ranNs: undefined },
});
const fork = (parent: number, pid: number, generation = 1): StreamEvent => ({
  ...{ type: 'fork', at, parent, pid, generation },
});
const mapping = (pid: number, { device, inode }: RealFile, start: number, length = 0x1000): StreamEvent => ({
  ...{ type: 'mapping', at, pid, generation: 1, start, length, fileOffset: 0x2000, device, inode },
});
const paths = ({ device, inode, names }: RealFile): StreamEvent[] =>
  names.map((name, level) => ({ type: 'path', device, inode, level, name }));
const row = (start: number, end: number, { file }: RealFile, path = '') =>
  `${start.toString(16)}-${end.toString(16)} r-xp 2000 ${file} ${path}\n`;

const opened: { cache: MappingCache; files: ObjectFiles }[] = [];
afterEach(async () => {
  for (const { cache, files } of opened.splice(0)) {
    await cache.close();
    files.close();
  }
});

function newCache(): MappingCache {
  const files = newObjectFiles();
  const cache = newMappingCache(files, {
    see: () => undefined,
    execed: () => undefined,
    forked: () => undefined,
  });
  opened.push({ cache, files });
  return cache;
}

/** In the form in which captures store them, which is easy to compare. */
const textsOf = (cache: MappingCache): MappingTexts => encodeSpaces(cache.spaces());

/** The known mappings after events of processes that have ended. */
function textsAfter(...events: StreamEvent[]): MappingTexts {
  const cache = newCache();
  for (const event of events) cache.onEvent(event);
  return textsOf(cache);
}

describe('the mappings of a process', () => {
  test('are listed as in /proc/PID/maps, in whole pages, the latest first', () => {
    const texts = textsAfter(mapping(GONE, A, 0x10000), mapping(GONE, B, 0x30000, 0x2800));
    expect(texts).toEqual({ [`${GONE}:1`]: row(0x30000, 0x33000, B) + row(0x10000, 0x11000, A) });
  });

  test.each<[string, StreamEvent[], string]>([
    ['at the same address', [mapping(1, A, 0x10000)], ''],
    ['around it', [mapping(1, A, 0xf000, 0x3000)], row(0xf000, 0x12000, A)],
    ['inside it', [mapping(1, A, 0xf000, 0x8000)], row(0xf000, 0x17000, A)],
    ['beside it', [mapping(1, A, 0x20000)], row(0x20000, 0x21000, A)],
  ])('replace an earlier one %s and come first', (_, before, left) => {
    expect(textsAfter(...before, mapping(1, B, 0x10000))['1:1']).toBe(row(0x10000, 0x11000, B) + left);
  });

  test('at a reused address are the latest again', () => {
    const texts = textsAfter(mapping(1, A, 0x10000), mapping(1, B, 0xf000, 0x8000), mapping(1, A, 0x10000));
    expect(texts['1:1']).toBe(row(0x10000, 0x11000, A) + row(0xf000, 0x17000, B));
  });

  test.each([2 ** 64 - 12, 2 ** 64, 2 ** 63, 2 ** 56])('do not include a failed mmap: %i', (start) => {
    expect(textsAfter(mapping(GONE, A, start))).toEqual({});
  });

  test('extend up to the end of user space', () => {
    const texts = textsAfter(mapping(GONE, A, 0x7fffffffe000), mapping(GONE, A, 2 ** 52 - 0x1000));
    expect(texts[`${GONE}:1`]?.split('\n')).toHaveLength(3);
  });

  test('are separate for each program', () => {
    const second = { ...mapping(GONE, B, 0x10000), generation: 2 } as StreamEvent;
    expect(textsAfter(mapping(GONE, A, 0x10000), second)).toEqual({
      [`${GONE}:1`]: row(0x10000, 0x11000, A),
      [`${GONE}:2`]: row(0x10000, 0x11000, B),
    });
  });
});

describe('a process that forks', () => {
  test('passes on its mappings, but none that it makes later', () => {
    const texts = textsAfter(
      mapping(1, A, 0x10000),
      mapping(1, B, 0x20000),
      fork(1, GONE),
      mapping(1, A, 0x30000),
      mapping(GONE, B, 0x40000),
    );
    const inherited = row(0x20000, 0x21000, B) + row(0x10000, 0x11000, A);
    expect(texts).toEqual({
      '1:1': row(0x30000, 0x31000, A) + inherited,
      [`${GONE}:1`]: row(0x40000, 0x41000, B) + inherited,
    });
  });

  test('does not replace mappings that its child made before the fork event', () => {
    const texts = textsAfter(mapping(1, A, 0x10000), mapping(GONE, B, 0x10000), fork(1, GONE));
    expect(texts[`${GONE}:1`]).toBe(row(0x10000, 0x11000, B));
  });

  test('does not cover mappings that its child made before the fork event', () => {
    const texts = textsAfter(mapping(1, A, 0xf000, 0x8000), mapping(GONE, B, 0x10000), fork(1, GONE));
    expect(texts[`${GONE}:1`]).toBe(row(0x10000, 0x11000, B) + row(0xf000, 0x17000, A));
  });

  test('passes on only mappings of the same program', () => {
    const other = { ...mapping(1, A, 0x10000), generation: 2 } as StreamEvent;
    expect(textsAfter(other, fork(1, GONE, 1))).not.toHaveProperty(`${GONE}:1`);
  });

  test('passes them on to grandchildren, even after its end', () => {
    const texts = textsAfter(mapping(1, A, 0x10000), fork(1, GONE), exit(1), fork(GONE, GONE + 1));
    expect(texts[`${GONE + 1}:1`]).toBe(row(0x10000, 0x11000, A));
  });
});

describe('with many processes', () => {
  const first = 2 ** 22 + 1;
  const mappings = (count: number) => Array.from({ length: count }, (_, i) => mapping(first + i, A, 0x10000));
  const afterMany = (...events: StreamEvent[]) => {
    const cache = newCache();
    for (const event of events) cache.onEvent(event);
    return { cache, keys: Object.keys(textsOf(cache)) };
  };

  test('4,096 address spaces are stored', () => {
    const { cache, keys } = afterMany(...mappings(4096));
    expect(cache.forgotten()).toBe(0);
    expect(keys).toHaveLength(4096);
  });

  test('the oldest are discarded and counted', () => {
    const { cache, keys } = afterMany(...mappings(4096 + 13));
    expect(cache.forgotten()).toBe(13);
    expect(keys).toHaveLength(4096);
    expect(keys[0]).toBe(`${first + 13}:1`);
  });

  test('those of running processes are discarded last', () => {
    const begun = Array.from({ length: 23 }, (_, i) => exec(first + i));
    const ended = [first + 7, first + 11].map((pid) => exit(pid));
    const { cache, keys } = afterMany(
      ...begun,
      ...mappings(4096),
      ...ended,
      mapping(first + 5000, A, 0x10000),
    );
    expect(cache.forgotten()).toBe(1);
    expect(keys).not.toContain(`${first + 7}:1`);
    expect(keys.slice(0, 2)).toEqual([`${first}:1`, `${first + 1}:1`]);
  });

  test('one with more mappings does not count twice', () => {
    const { cache } = afterMany(...mappings(4096), mapping(first, B, 0x20000), mapping(first, B, 0x30000));
    expect(cache.forgotten()).toBe(0);
  });

  test('a child keeps what it inherits, even if its parent is discarded to make space', () => {
    const { cache } = afterMany(...mappings(4096), fork(first, first + 5000));
    expect(cache.forgotten()).toBe(1);
    expect(textsOf(cache)[`${first + 5000}:1`]).toBe(row(0x10000, 0x11000, A));
    expect(textsOf(cache)[`${first}:1`]).toBeUndefined();
  });
});

describe.skipIf(process.platform !== 'linux')('on this machine', () => {
  const { in_, build, close } = newWorkshop('mappings');
  afterAll(close);
  const path = build('self', []);
  const real = realFile(path);

  describe('a program that has ended', () => {
    const ended = runSelf(path);
    const image: StreamEvent = {
      ...{ type: 'image', at, pid: ended.pid, generation: 1, startCode: ended.startCode },
      ...{ device: real.device, inode: real.inode },
    };
    const auxv: StreamEvent = { type: 'auxv', pid: ended.pid, generation: 1, words: [...ended.auxv] };
    const libraries = codeMappings(ended.maps).filter(({ path }) => /\/libc\b/.test(path));
    const mapped = libraries.flatMap(({ start, end, fileOffset, path }) => {
      const { device, inode, names } = realFile(path);
      const place = { start: Number(start), length: Number(end - start), fileOffset: Number(fileOffset) };
      const event: StreamEvent = {
        type: 'mapping',
        at,
        pid: ended.pid,
        generation: 1,
        ...place,
        device,
        inode,
      };
      return [...paths({ file: '', device, inode, names }), event];
    });
    const byStart = (text: string | undefined) =>
      codeMappings(text ?? '').sort((a, b) => (a.start < b.start ? -1 : 1));
    const key = `${ended.pid}:1`;

    test.each<[string, StreamEvent[]]>([
      ['in order', [exec(ended.pid), ...paths(real), image, auxv, ...mapped, exit(ended.pid)]],
      ['the exec last', [...paths(real), image, auxv, ...mapped, exit(ended.pid), exec(ended.pid)]],
      ['its libraries first', [...mapped, exec(ended.pid), ...paths(real), image, auxv]],
      ['its path last', [exec(ended.pid), ...mapped, image, ...paths(real), auxv]],
      ['upwards and downwards', [exec(ended.pid), ...paths(real).reverse(), image, auxv, ...mapped]],
    ])('has all its code after events in this order: %s', (_, events) => {
      const texts = textsAfter(...events);
      expect(byStart(texts[key])).toEqual(byStart(ended.maps));
    });

    test('has all its code even if the event with its path comes last', () => {
      const texts = textsAfter(exec(ended.pid), image, auxv, ...mapped, ...paths(real));
      expect(byStart(texts[key])).toEqual(byStart(ended.maps));
    });

    test.each<[string, StreamEvent[]]>([
      ['with its address only', [...paths(real), image]],
      ['with its auxiliary vector only', [...paths(real), auxv]],
      ['of another process', [...paths(real), image, { ...auxv, pid: ended.pid + 1 } as StreamEvent]],
      ['of another generation', [...paths(real), image, { ...auxv, generation: 2 } as StreamEvent]],
    ])('has no mappings after events %s', (_, events) => {
      expect(textsAfter(...events)).toEqual({});
    });

    test('passes its code on to children', () => {
      const texts = textsAfter(...paths(real), image, auxv, fork(ended.pid, GONE), ...mapped);
      expect(byStart(texts[`${GONE}:1`])).toEqual(
        byStart(ended.maps).filter((m) => !libraries.some((l) => l.path === m.path)),
      );
    });
  });

  test('a mapping has the path of its file', () => {
    const texts = textsAfter(...paths(real), mapping(GONE, real, 0x10000));
    expect(texts[`${GONE}:1`]).toBe(row(0x10000, 0x11000, real, path));
  });

  test('a mapping has the path of its file even if the names came later', () => {
    const texts = textsAfter(mapping(GONE, real, 0x10000), ...paths(real));
    expect(texts[`${GONE}:1`]).toBe(row(0x10000, 0x11000, real, path));
  });

  test('an unchanged address space is the same array in the next snapshot', () => {
    const cache = newCache();
    const start = [...paths(real), mapping(GONE, real, 0x10000), mapping(GONE + 1, real, 0x10000)];
    for (const event of start) cache.onEvent(event);
    const before = cache.spaces();
    cache.onEvent(mapping(GONE + 1, B, 0x30000));
    const after = cache.spaces();
    expect(after.get(`${GONE}:1`)).toBe(before.get(`${GONE}:1`));
    expect(before.get(`${GONE + 1}:1`)).toHaveLength(1);
    expect(after.get(`${GONE + 1}:1`)).toHaveLength(2);
  });

  test('a file that no longer exists is marked as deleted', () => {
    writeFileSync(in_('other'), '');
    const { names } = realFile(in_('other'));
    const texts = textsAfter(
      ...paths({ ...A, device: real.device, names }),
      mapping(GONE, { ...A, device: real.device }, 0x10000),
    );
    expect(texts[`${GONE}:1`]).toMatch(/ \/.*\/other \(deleted\)\n$/);
  });

  describe('a running process', () => {
    const running = (args: readonly string[] = []) => {
      const child = spawn('cat', args, { stdio: ['pipe', 'ignore', 'ignore'] });
      const mapsNow = () => encodeSpace(parseMaps(readFileSync(`/proc/${child.pid}/maps`, 'utf8')));
      const ready = () =>
        vi.waitUntil(() => /\/libc\b/.test(mapsNow()) && !/node/.test(mapsNow()), {
          timeout: 10_000,
          interval: 5,
        });
      return { pid: child.pid as number, child, mapsNow, ready };
    };
    const sorted = (text: string | undefined) => text?.split('\n').sort();

    test('is read on request', async () => {
      const { pid, child, mapsNow, ready } = running();
      await ready();
      const cache = newCache();
      await cache.read(pid, 3);
      expect(sorted(textsOf(cache)[`${pid}:3`])).toEqual(sorted(mapsNow()));
      child.stdin.end();
    });

    test.each<[string, (pid: number) => StreamEvent, number]>([
      ['execs', (pid) => exec(pid, 5), 5],
      ['is forked', (pid) => fork(1, pid, 5), 5],
    ])('is read after it %s', async (_, event, generation) => {
      const { pid, child, mapsNow, ready } = running();
      await ready();
      const cache = newCache();
      cache.onEvent(event(pid));
      await vi.waitUntil(() => textsOf(cache)[`${pid}:${generation}`], { timeout: 10_000, interval: 5 });
      expect(sorted(textsOf(cache)[`${pid}:${generation}`])).toEqual(sorted(mapsNow()));
      child.stdin.end();
    });

    test('is read again at the end, unless it has ended', async () => {
      const { pid, child, mapsNow, ready } = running();
      await ready();
      const [lives, left] = [newCache(), newCache()];
      for (const cache of [lives, left]) cache.onEvent(exec(pid));
      left.onEvent(exit(pid));
      await Promise.all([lives.close(), left.close()]);
      expect(sorted(textsOf(lives)[`${pid}:1`])).toEqual(sorted(mapsNow()));
      expect(textsOf(left)).toEqual({});
      child.stdin.end();
    });

    test('is not read for an earlier program', async () => {
      const { pid, child, ready } = running();
      await ready();
      const cache = newCache();
      cache.onEvent(exec(pid, 1));
      cache.onEvent(exec(pid, 2));
      await cache.close();
      expect(Object.keys(textsOf(cache))).toEqual([`${pid}:2`]);
      child.stdin.end();
    });

    test('is not read for an earlier program even if its fork event came later', async () => {
      const { pid, child, ready } = running();
      await ready();
      const cache = newCache();
      cache.onEvent(exec(pid, 2));
      cache.onEvent(fork(1, pid, 1));
      await cache.close();
      expect(textsOf(cache)[`${pid}:1`] ?? '').toBe('');
      expect(textsOf(cache)[`${pid}:2`]).not.toBeUndefined();
      child.stdin.end();
    });

    test('has the path of a file whose names came after its first mapping', async () => {
      const { pid, child, mapsNow, ready } = running();
      await ready();
      const [own] = codeMappings(mapsNow());
      const { start = 0n, end = 0n, path = '' } = own ?? {};
      const file = realFile(path);
      const cache = newCache();
      cache.onEvent(mapping(pid, file, Number(start), Number(end - start)));
      for (const event of paths(file)) cache.onEvent(event);
      cache.onEvent(mapping(GONE, file, Number(start)));
      child.stdin.end();
      expect(codeMappings(textsOf(cache)[`${GONE}:1`] ?? '').map((m) => m.path)).toEqual([path]);
    });

    test('has its mappings from /proc if they differ from the events', async () => {
      const { pid, child, mapsNow, ready } = running();
      await ready();
      const [first] = codeMappings(mapsNow());
      const cache = newCache();
      cache.onEvent(mapping(pid, A, Number(first?.start), 0x10));
      cache.onEvent(mapping(pid, B, 0x10000));
      await cache.read(pid, 1);
      expect(sorted(textsOf(cache)[`${pid}:1`])).toEqual(sorted(mapsNow() + row(0x10000, 0x11000, B)));
      child.stdin.end();
    });

    test('shows code that it compiles later, well before 500 ms', async () => {
      const source = `#include <sys/mman.h>
#include <unistd.h>
int main(void) {
  for (char c; read(0, &c, 1) == 1; write(1, &c, 1))
    mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}`;
      const child = spawn(build('compiler', [], source), { stdio: ['pipe', 'pipe', 'ignore'] });
      const answer = () => new Promise((resolve) => child.stdout.once('data', resolve));
      const pid = child.pid as number;
      const see = vi.fn();
      const files = newObjectFiles();
      const cache = newMappingCache(files, { see, execed: () => undefined, forked: () => undefined });
      opened.push({ cache, files });
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      onTestFinished(() => void vi.useRealTimers());
      cache.onEvent(exec(pid));
      await vi.advanceTimersByTimeAsync(60);
      for (let i = 0; i < 10; i++) await cache.read(pid, 1); // by then the reads started by timers are done
      expect(see).not.toHaveBeenCalled();
      const compiled = answer();
      child.stdin.write('.');
      await compiled;
      await vi.advanceTimersByTimeAsync(190);
      vi.useRealTimers();
      await vi.waitUntil(() => see.mock.calls.length > 0, { timeout: 10_000, interval: 5 });
      expect(see).toHaveBeenCalledWith(pid, 1);
      child.stdin.end();
    });

    test('is not read after its end', async () => {
      const cache = newCache();
      cache.onEvent(exec(GONE));
      await cache.read(GONE, 1);
      await cache.close();
      expect(textsOf(cache)).toEqual({});
    });
  });
});
