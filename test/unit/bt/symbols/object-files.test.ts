import { spawn } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { LEVELS } from '../../../../bt/mapping-events.ts';
import { fileKey, newObjectFiles, type ObjectFiles } from '../../../../bt/symbols/object-files.ts';
import { parseMaps } from '../../../../parsers/proc.ts';
import { codeMappings, newWorkshop, realFile } from './real-programs.ts';

test.each([
  [0xfe00000, 260875, 'fe:00 260875'],
  [0x2a, 1, '00:2a 1'],
  [0, 7, '00:00 7'],
  [259 * 2 ** 20 + 5, 7, '103:05 7'],
  [0xfffffffff % 2 ** 32, 7, 'fff:fffff 7'],
  [0x2a, 2 ** 53, '00:2a ?'], // the next inodes would have this number, too
])('device %i and inode %i are %j in /proc/PID/maps', (device, inode, file) => {
  expect(fileKey(device, inode)).toBe(file);
});

describe.skipIf(process.platform !== 'linux')('files of this machine', () => {
  const { in_, build, close } = newWorkshop('files');
  const opened: ObjectFiles[] = [];
  const newFiles = () => {
    const files = newObjectFiles();
    opened.push(files);
    return files;
  };
  afterEach(() => {
    for (const files of opened.splice(0)) files.close();
  });
  afterAll(close);

  const pid = process.pid;
  /** Creates a file, and returns it as the kernel identifies it. */
  const written = (name: string, text = name) => {
    const path = in_(name);
    writeFileSync(path, text);
    return { path, ...realFile(path) };
  };
  const contentOf = (files: ObjectFiles, file: string) => {
    const source = files.source(file);
    return source && `${source.size} ${source.read(0, source.size).toString('utf8')}`;
  };
  const addNames = (files: ObjectFiles, { file, names }: { file: string; names: readonly string[] }) => {
    for (const [level, name] of names.entries()) files.addName(file, level, name);
  };
  const [device] = realFile(in_('')).file.split(' ');
  /** The key of a file, without looking up its mount. */
  const keyOf = (path: string) => `${device} ${statSync(path).ino}`;
  const openHere = () =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).startsWith(in_(''));
      } catch {
        return false;
      }
    }).length;

  test('have the same key as in /proc/PID/maps', () => {
    const mappings = codeMappings(readFileSync('/proc/self/maps', 'utf8'));
    const own = mappings.find(({ path }) => path === process.execPath);
    const { device, inode } = realFile(process.execPath);
    expect(fileKey(device, inode)).toBe(own?.file);
  });

  test('have no path or content before they were seen', () => {
    const { file } = written('unseen');
    const files = newFiles();
    expect([files.path(file), files.source(file)]).toEqual([undefined, undefined]);
    files.see(file, { pid });
    expect([files.path(file), files.source(file)]).toEqual([undefined, undefined]);
  });

  test.each(['plain', 'a, b "c" é', 'x(deleted)'])('are opened by their path: %j', (name) => {
    const { path, file } = written(name);
    const files = newFiles();
    files.see(file, { pid, path });
    expect(files.path(file)).toBe(path);
    expect(contentOf(files, file)).toBe(`${Buffer.byteLength(name)} ${name}`);
  });

  describe('are opened by their names from the root of their filesystem', () => {
    mkdirSync(in_('one/two/three'), { recursive: true });
    const { path, ...real } = written('one/two/three/lib a.so', 'ELF');

    test('if these come in order', () => {
      const files = newFiles();
      addNames(files, real);
      files.see(real.file, { pid });
      expect(files.path(real.file)).toBe(path);
      expect(contentOf(files, real.file)).toBe('3 ELF');
    });

    test('if these come in any other order', () => {
      const files = newFiles();
      for (const [level, name] of [...real.names.entries()].reverse()) files.addName(real.file, level, name);
      files.see(real.file, { pid });
      expect(contentOf(files, real.file)).toBe('3 ELF');
    });

    test('but not by the names of another file', () => {
      const files = newFiles();
      const other = written('other');
      addNames(files, { file: real.file, names: other.names });
      files.see(real.file, { pid });
      expect(files.path(real.file)).toBe(`${other.path} (deleted)`);
      expect(contentOf(files, real.file)).toBeUndefined();
    });
  });

  test('have no path if only its end is known', () => {
    const folder = Array(LEVELS + 1)
      .fill('deep')
      .join('/');
    mkdirSync(in_(folder), { recursive: true });
    const { path, file, names } = written(`${folder}/m`);
    const files = newFiles();
    addNames(files, { file, names: names.slice(0, LEVELS) });
    files.see(file, { pid });
    expect(files.path(file) ?? path).toBe(path);
  });

  test.each([
    ['another device', (file: string) => file.replace(/^\S+/, 'ff:ffff')],
    ['another inode', (file: string) => `${file}0`],
  ])('are not opened by the path of a file that has %s', (_, other) => {
    const { path, file } = written('other identity');
    const files = newFiles();
    files.see(other(file), { pid, path });
    expect([files.path(other(file)), files.isHere(other(file))]).toEqual([`${path} (deleted)`, false]);
    expect(contentOf(files, other(file))).toBeUndefined();
    files.see(file, { pid, path });
    expect([contentOf(files, file), files.isHere(file)]).toEqual(['14 other identity', true]);
  });

  describe('that were replaced', () => {
    const replaced = (name: string) => {
      const old = written(name, 'old');
      // Stays open. Otherwise the next file could get its inode.
      const descriptor = openSync(old.path, 'r');
      writeFileSync(`${old.path}.new`, 'new');
      renameSync(`${old.path}.new`, old.path);
      return { ...old, done: () => closeSync(descriptor) };
    };

    test('are not opened by their path', () => {
      const { path, file, done } = replaced('replaced');
      const files = newFiles();
      files.see(file, { pid, path });
      expect(files.path(file)).toBe(`${path} (deleted)`);
      expect(contentOf(files, file)).toBeUndefined();
      done();
    });

    test('are not opened by their names', () => {
      const { path, done, ...real } = replaced('renamed');
      const files = newFiles();
      addNames(files, real);
      files.see(real.file, { pid });
      expect(files.path(real.file)).toBe(`${path} (deleted)`);
      expect(contentOf(files, real.file)).toBeUndefined();
      done();
    });

    test('are two files if both were seen in time', () => {
      const old = written('both', 'old');
      const files = newFiles();
      files.see(old.file, { pid, path: old.path });
      writeFileSync(`${old.path}.new`, 'new');
      renameSync(`${old.path}.new`, old.path);
      const { file } = realFile(old.path);
      files.see(file, { pid, path: old.path });
      expect([old.file, file].map((key) => contentOf(files, key))).toEqual(['3 old', '3 new']);
    });
  });

  describe('that were overwritten', () => {
    const overwritten = (files: ObjectFiles) => {
      const { path, file } = written('overwritten', 'before');
      expect(files.see(file, { pid, path })).toBe(file);
      writeFileSync(path, 'another text');
      return { path, file };
    };

    test('are not read by the key of before', () => {
      const files = newFiles();
      const { file, path } = overwritten(files);
      expect(contentOf(files, file)).toBeUndefined();
      expect([files.isOverwritten(file), files.path(file)]).toEqual([true, path]);
    });

    test('have another key when they are seen again', () => {
      const files = newFiles();
      const { path, file } = overwritten(files);
      const second = files.see(file, { pid, path });
      expect([second, contentOf(files, second), contentOf(files, file)]).toEqual([
        file.replace(' ', '@2 '),
        '12 another text',
        undefined,
      ]);
      expect([files.isOverwritten(file), files.isOverwritten(second)]).toEqual([true, false]);
      expect([files.see(file, { pid, path }), files.see(second, { pid, path })]).toEqual([second, second]);
      expect(openHere()).toBe(1);
      writeFileSync(path, 'a third text, which is longer');
      const third = files.see(second, { pid, path });
      expect(third).toBe(file.replace(' ', '@3 '));
      expect(contentOf(files, third)).toBe('29 a third text, which is longer');
      expect(contentOf(files, second)).toBeUndefined();
      expect(openHere()).toBe(1);
    });

    test('are not overwritten by a change of their mode or name', () => {
      const files = newFiles();
      const { path, file } = written('renamed');
      files.see(file, { pid, path });
      chmodSync(path, 0o700);
      renameSync(path, in_('renamed 2'));
      expect(files.see(file, { pid, path })).toBe(file);
      expect(contentOf(files, file)).toBe('7 renamed');
    });
  });

  test('stay readable if they are deleted after they were seen', () => {
    const { path, file } = written('gone', 'still here');
    const files = newFiles();
    files.see(file, { pid, path });
    unlinkSync(path);
    files.see(file, { pid, path: `${path} (deleted)` });
    expect(contentOf(files, file)).toBe('10 still here');
  });

  test('have their former path if they were deleted before', () => {
    const { path, file } = written('gone before');
    unlinkSync(path);
    const files = newFiles();
    files.see(file, { pid, path: `${path} (deleted)` });
    expect(files.path(file)).toBe(`${path} (deleted)`);
    expect(contentOf(files, file)).toBeUndefined();
  });

  test('are opened when they are seen elsewhere, if they could not be opened before', () => {
    const { path, file } = written('seen twice');
    const files = newFiles();
    files.see(file, { pid, path: in_('nowhere') });
    expect(files.path(file)).toBe(`${in_('nowhere')} (deleted)`);
    files.see(file, { pid, path });
    expect(files.path(file)).toBe(path);
    expect(contentOf(files, file)).toBe('10 seen twice');
  });

  test('must not be directories', () => {
    mkdirSync(in_('folder'));
    const { file } = realFile(in_('folder'));
    const files = newFiles();
    files.see(file, { pid, path: in_('folder') });
    expect(files.source(file)).toBeUndefined();
  });

  test('are opened once each, and closed at the end', () => {
    const before = openHere();
    const files = newFiles();
    const { path, file } = written('once');
    for (let i = 0; i < 7; i++) files.see(file, { pid, path });
    for (let i = 0; i < 7; i++) files.see('00:00 1', { pid, path });
    expect(openHere()).toBe(before + 1);
    files.close();
    expect(openHere()).toBe(before);
    expect(files.source(file)).toBeUndefined();
  });

  test('do not all stay open if there are thousands', () => {
    const before = openHere();
    const files = newFiles();
    mkdirSync(in_('many'));
    for (let i = 0; i < 600; i++) {
      const path = in_(`many/${i}`);
      writeFileSync(path, `${i}`);
      files.see(keyOf(path), { pid, path });
    }
    expect(openHere() - before).toBe(512);
    const last = keyOf(in_('many/599'));
    expect(files.path(last)).toBe(in_('many/599'));
    expect(contentOf(files, last)).toBe('3 599');
    rmSync(in_('many'), { recursive: true });
  });

  test('stay open only while they are read if there are too many', () => {
    const files = newFiles();
    mkdirSync(in_('more'));
    const paths = Array.from({ length: 513 }, (_, i) => in_(`more/${i}`));
    for (const path of paths) {
      writeFileSync(path, 'x');
      files.see(keyOf(path), { pid, path });
    }
    const before = openHere();
    for (let i = 0; i < 7; i++) files.source(keyOf(in_('more/512')))?.read(0, 1);
    expect(openHere()).toBe(before);
  });

  describe.skipIf(process.geteuid?.() !== 0)('of a running process', () => {
    const waits = 'int main(void) { char c; return read(0, &c, 1); }';
    const started = async (command: string, args: readonly string[], program: string) => {
      const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'inherit'] });
      const exe = () => readlinkSync(`/proc/${child.pid}/exe`);
      await vi.waitUntil(() => exe().endsWith(program), { timeout: 10_000, interval: 5 });
      return { pid: child.pid as number, end: () => child.stdin.end() };
    };

    test('are found in its root if that is another one', async () => {
      mkdirSync(in_('root/inner'), { recursive: true });
      const path = build('root/inner/wait', ['-static'], waits);
      const { file } = realFile(path);
      const { pid, end } = await started('chroot', [in_('root'), '/inner/wait'], '/inner/wait');
      const files = newFiles();
      files.see(file, { pid, path: '/inner/wait' });
      end();
      expect(files.path(file)).toBe('/inner/wait');
      expect(files.source(file)?.read(1, 3).toString()).toBe('ELF');
    });

    test('are found through its mapping if they are deleted', async () => {
      const path = build('deleted', [], waits);
      const { file } = realFile(path);
      const { pid, end } = await started(path, [], '/deleted');
      unlinkSync(path);
      const mappings = parseMaps(readFileSync(`/proc/${pid}/maps`, 'utf8'));
      const range = mappings.find((mapping) => mapping.path === `${path} (deleted)`);
      const files = newFiles();
      files.see(file, { pid, path: `${path} (deleted)`, range });
      end();
      expect(files.path(file)).toBe(`${path} (deleted)`);
      expect(files.source(file)?.read(1, 3).toString()).toBe('ELF');
    });
  });
});
