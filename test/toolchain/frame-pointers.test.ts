import { spawn } from 'node:child_process';
import { existsSync, readlinkSync } from 'node:fs';
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { dialectFor } from '../../bt/dialect.ts';
import { dwarfPids, dwarfStop, lacksFramePointers } from '../../bt/driver/unwind.ts';
import type { Unwinder } from '../../bt/unwinder.ts';
import { BtprofError } from '../../metrics/errors.ts';
import { manyFunctions, newWorkshop } from '../unit/bt/symbols/real-programs.ts';

const [OLD, NEW] = [dialectFor('bpftrace v0.17.0'), dialectFor('bpftrace v0.27.1')];

const isHeld = (unwinder: Unwinder, path: string, dialect = NEW, arch = 'x86_64') =>
  dwarfStop(unwinder, path, dialect, arch) !== undefined;

/** Waits without any library, so it contains only its own code. */
const SOURCE = `${manyFunctions(300)}
int counted = 1;
void _start(void) {
  counted = f299(counted);
  for (;;) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(34) : "rcx", "r11", "memory");
  }
}
`;
const ALONE = ['-nostdlib', '-static', '-fno-stack-protector', '-O2'];
const BUILDS: [string, string[]][] = [
  ['without frame pointers', ['-fomit-frame-pointer']],
  ['with frame pointers', ['-fno-omit-frame-pointer', '-mno-omit-leaf-frame-pointer']],
];

describe.skipIf(process.platform !== 'linux' || process.arch !== 'x64')('a process', () => {
  const { in_, build, run, close } = newWorkshop('unwind');
  afterAll(close);
  const [without, with_] = BUILDS.map(([name, flags]) => build(name, [...ALONE, ...flags], SOURCE)) as [
    string,
    string,
  ];

  /** Starts a process that runs until the test ends. */
  const started = async (path: string) => {
    const child = spawn(path, { stdio: 'ignore' });
    onTestFinished(() => {
      child.kill('SIGKILL');
    });
    const pid = child.pid as number;
    await vi.waitUntil(() => readlinkSync(`/proc/${pid}/exe`) === path, { timeout: 10_000, interval: 5 });
    return { child, pid };
  };
  const lacks = async (path: string) => lacksFramePointers((await started(path)).pid);

  test('lacks frame pointers if it was built without them', async () => {
    expect(await lacks(without)).toBe(true);
  });

  test('has frame pointers if it was built with them', async () => {
    expect(await lacks(with_)).toBe(false);
  });

  test.each([
    [80, false],
    [220, true],
  ])('lacks frame pointers if most of its code does: %i of 300 functions, %s', async (count, lacking) => {
    const kept = '#pragma GCC optimize("no-omit-frame-pointer")\n';
    const at = SOURCE.indexOf(`__attribute__((noinline)) int f${count}(`);
    const source = SOURCE.slice(0, at) + kept + SOURCE.slice(at);
    expect(await lacks(build(`mixed${count}`, [...ALONE, '-fomit-frame-pointer'], source))).toBe(lacking);
  });

  test('lacks frame pointers even if its functions have no names', async () => {
    run('strip', '-o', 'bare', without);
    expect(await lacks(in_('bare'))).toBe(true);
  });

  test.each<[Unwinder, boolean | undefined, boolean | undefined]>([
    ['fp', undefined, undefined],
    ['auto', true, false],
    ['dwarf', true, true],
  ])(
    'is unwound by DWARF after it starts under --unwind %s if built without frame pointers: %s, with: %s',
    async (unwinder, ...expected) => {
      const needs = async (path: string) =>
        dwarfStop(unwinder, path, NEW, 'x86_64')?.isNeeded((await started(path)).pid);
      expect([await needs(without), await needs(with_)]).toEqual(expected);
    },
  );

  test('is not held with --unwind auto if it is not a program or cannot be unwound', () => {
    expect(isHeld('auto', without, OLD)).toBe(false);
    expect(isHeld('auto', without, NEW, 'aarch64')).toBe(false);
    expect(isHeld('auto', in_('none'))).toBe(false);
    expect(isHeld('auto', in_('without frame pointers.c'))).toBe(false);
    expect(() => isHeld('dwarf', without, OLD)).toThrow(BtprofError);
  });

  test('is not reported to lack frame pointers after its end', async () => {
    const { child, pid } = await started(without);
    child.kill('SIGKILL');
    await vi.waitUntil(() => !existsSync(`/proc/${pid}`), { timeout: 10_000, interval: 5 });
    expect(lacksFramePointers(pid)).toBe(false);
  });

  test('is unwound by DWARF if necessary', async () => {
    const pids = [(await started(without)).pid, (await started(with_)).pid] as const;
    expect(dwarfPids('auto', pids, NEW, 'x86_64')).toEqual([pids[0]]);
    expect(dwarfPids('auto', pids, OLD, 'x86_64')).toEqual([]);
    expect(dwarfPids('dwarf', pids, NEW, 'x86_64')).toEqual(pids);
  });
});
