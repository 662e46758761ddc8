import { readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newObjectFiles } from '../../bt/symbols/object-files.ts';
import { imageMappings } from '../../bt/symbols/program-image.ts';
import type { Mapping } from '../../parsers/proc.ts';
import {
  codeMappings,
  type Ended,
  LINKED,
  newWorkshop,
  realFile,
  runSelf,
  startCodeIn,
  wordsOf,
} from '../unit/bt/symbols/real-programs.ts';

const AT_BASE = 7;
const AT_SYSINFO_EHDR = 33;

describe.skipIf(process.platform !== 'linux')('the first mappings of a program', () => {
  const { in_, build, close } = newWorkshop('image');
  const files = newObjectFiles();
  afterAll(() => {
    files.close();
    close();
  });

  /** The mappings that result from the kernel's events. */
  const rowsOf = (path: string, { pid, startCode, auxv }: Ended, knownFiles = files): Mapping[] => {
    const { file, device, inode, names } = realFile(path);
    for (const [level, name] of names.entries()) knownFiles.addName(file, level, name);
    const image = { type: 'image', at: 0, pid, generation: 1, startCode, device, inode } as const;
    return imageMappings(image, auxv, knownFiles);
  };
  const byStart = (mappings: readonly Mapping[]) => mappings.toSorted((a, b) => (a.start < b.start ? -1 : 1));
  const withoutLibraries = (maps: string, path: string) =>
    codeMappings(maps).filter((m) => m.path === path || /\/ld[-.]|\[vdso\]$/.test(m.path));

  describe.each(LINKED)('that is %s', (what, flags) => {
    let path = '';
    let ended: Ended;
    beforeAll(() => {
      path = build(what.replaceAll(' ', '-'), flags);
      ended = runSelf(path);
    });

    test('match /proc/PID/maps without libraries, even though it has ended', () => {
      expect(byStart(rowsOf(path, ended))).toEqual(byStart(withoutLibraries(ended.maps, path)));
    });

    test('contain its functions', () => {
      const own = rowsOf(path, ended).filter((mapping) => mapping.path === path);
      for (const address of Object.values(ended.addresses).map((hex) => BigInt(`0x${hex}`)))
        expect(own.filter((m) => m.start <= address && address < m.end)).toHaveLength(1);
    });

    test('lack the parts that are missing in the auxiliary vector', () => {
      const without = (key: number) =>
        rowsOf(path, { ...ended, auxv: ended.auxv.map((w, i) => (i % 2 === 0 && w === key ? 1 : w)) });
      const paths = (rows: readonly Mapping[]) => new Set(rows.map((row) => row.path));
      const all = paths(rowsOf(path, ended));
      expect(paths(without(AT_SYSINFO_EHDR))).toEqual(new Set([...all].filter((name) => name !== '[vdso]')));
      expect(paths(without(AT_BASE))).toEqual(new Set([path, '[vdso]']));
      expect(rowsOf(path, { ...ended, auxv: [] }).map((row) => row.path)).toEqual([path]);
    });
  });

  test('include a loader only if the program has one', () => {
    const loaders = LINKED.map(([what]) => {
      const path = in_(what.replaceAll(' ', '-'));
      return rowsOf(path, runSelf(path)).filter((row) => /\/ld[-.]/.test(row.path)).length;
    });
    expect(loaders).toEqual([1, 1, 0, 0]);
  });

  /** V8 has changed the mappings of this process by now: it unmaps some of them. */
  test('of this node include its loader, the vDSO, and the start of its code', () => {
    const maps = readFileSync('/proc/self/maps', 'utf8');
    const startCode = startCodeIn(readFileSync('/proc/self/stat', 'latin1'));
    const auxv = wordsOf(readFileSync('/proc/self/auxv'));
    const rows = rowsOf(process.execPath, {
      ...{ pid: process.pid, startCode, auxv, maps },
      addresses: { exported: '', copy: '', main: '' },
    });
    const now = codeMappings(maps);
    const others = (mappings: readonly Mapping[]) =>
      mappings.filter((m) => /\/ld[-.]|\[vdso\]$/.test(m.path));
    expect(byStart(others(rows))).toEqual(byStart(others(now)));
    const [own] = byStart(rows.filter((m) => m.path === process.execPath));
    const [first] = byStart(now.filter((m) => m.path === process.execPath));
    expect(own).toMatchObject({ start: first?.start, fileOffset: first?.fileOffset, file: first?.file });
    expect(own?.end).toBeGreaterThanOrEqual(first?.end as bigint);
  });

  describe('contain only the vDSO', () => {
    const path = in_('position-independent');
    const onlyVdso = (rows: readonly Mapping[]) => expect(rows.map((row) => row.path)).toEqual(['[vdso]']);

    test('if nothing is known about the file', () => {
      const { device, inode } = realFile(path);
      const { pid, startCode, auxv } = runSelf(path);
      const image = { type: 'image', at: 0, pid, generation: 1, startCode, device, inode } as const;
      const nothingKnown = newObjectFiles();
      onlyVdso(imageMappings(image, auxv, nothingKnown));
      nothingKnown.close();
    });

    test('if the file is gone', () => {
      const gone = build('gone', []);
      const ended = runSelf(gone);
      const { file, device, inode, names } = realFile(gone);
      const image = {
        type: 'image',
        at: 0,
        pid: ended.pid,
        generation: 1,
        startCode: 0,
        device,
        inode,
      } as const;
      unlinkSync(gone);
      for (const [level, name] of names.entries()) files.addName(file, level, name);
      onlyVdso(imageMappings(image, ended.auxv, files));
    });

    test.each(['', 'no program at all', '\x7fELF'])('if the file contains %j', (content) => {
      const path = in_(`no program ${content.length}`);
      writeFileSync(path, content);
      onlyVdso(rowsOf(path, runSelf(in_('static'))));
    });
  });
});
