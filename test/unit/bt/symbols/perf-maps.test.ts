import { type ChildProcess, execFileSync, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { newPerfMaps, type PerfMaps } from '../../../../bt/symbols/perf-maps.ts';
import { MAY_SKIP } from '../../../optional-tools.ts';

const ROOT = process.geteuid?.() === 0;
const MAP = '1000 100 JS:*wait /srv/app.js:12:3\n';
const OTHER_USER = 12_345;

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

/** A process that does nothing until the test ends. */
function started(
  command = 'sleep',
  args: readonly string[] = ['60'],
  options: SpawnOptions = {},
): ChildProcess {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], ...options });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return child;
}

function newPid(options: SpawnOptions = {}): number {
  return started('sleep', ['60'], options).pid as number;
}

async function untilGone(pid: number): Promise<void> {
  await vi.waitUntil(() => !existsSync(`/proc/${pid}`), { timeout: 10_000, interval: 5 });
}

/** The pid of a process that has ended and was reaped. */
async function endedPid(): Promise<number> {
  const child = started('true', []);
  await untilGone(child.pid as number);
  return child.pid as number;
}

/** The path of a perf map, which is removed when the test ends. */
function placeOf(pid: number): string {
  const path = `/tmp/perf-${pid}.map`;
  rmSync(path, { recursive: true, force: true });
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function written(pid: number, text = MAP): string {
  const path = placeOf(pid);
  writeFileSync(path, text);
  return path;
}

/** Stops our clock; `pass` moves it. */
function stoppedClock(): { pass: (ms: number) => void } {
  let now = 1e6;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  return {
    pass: (ms) => {
      now += ms;
    },
  };
}

const nameIn = (maps: PerfMaps, pid: number, address = 0x1010n) => maps.find(pid, 1, address)?.symbol;
const WAIT = 'JS:*wait /srv/app.js:12:3';

/** Expects that the map is not read, and that a problem says why. */
function expectRefused(pid: number, reason: string): void {
  const maps = newPerfMaps();
  maps.see(pid, 1);
  expect(maps.find(pid, 1, 0x1010n)).toBeUndefined();
  expect(maps.has(pid)).toBe(false);
  expect(maps.problems()).toContain(`/proc/${pid}/root/tmp/perf-${pid}.map was not read: ${reason}`);
}

/** Expects that there is no map, and no problem. */
function expectNone(pid: number): void {
  const maps = newPerfMaps();
  maps.see(pid, 1);
  expect([maps.find(pid, 1, 0x1010n), maps.has(pid), maps.problems()]).toEqual([undefined, false, []]);
}

describe.skipIf(process.platform !== 'linux')('the perf map of a running process', () => {
  test('has the function, the offset in it, and its path as module', () => {
    stoppedClock();
    const pid = newPid();
    const path = written(pid);
    const maps = newPerfMaps();
    expect(maps.find(pid, 1, 0x1010n)).toEqual({ symbol: WAIT, module: path, offset: 16 });
    expect(maps.find(pid, 1, 0x1100n)).toBeUndefined();
    expect(maps.find(pid, 1, 2n ** 64n - 1n)).toBeUndefined();
    expect([maps.has(pid), maps.problems()]).toEqual([true, []]);
  });

  test('is not mixed up with that of another process', () => {
    stoppedClock();
    const [one, other] = [newPid(), newPid()];
    written(one, '1000 100 one\n');
    written(other, '1000 100 other\n');
    const maps = newPerfMaps();
    expect([one, other].map((pid) => nameIn(maps, pid))).toEqual(['one', 'other']);
  });

  describe('is also that of a child', () => {
    const FUNCTIONS = '1000 100 parents\n3000 100 both\n';

    test('that it forks, where the child has no name itself', () => {
      stoppedClock();
      const [parent, child, grandchild] = [newPid(), newPid(), newPid()];
      const path = written(parent, FUNCTIONS);
      written(child, '3000 100 childs\n');
      const maps = newPerfMaps();
      maps.forked(parent, child, 1);
      maps.forked(child, grandchild, 1);
      expect(maps.find(child, 1, 0x1010n)).toEqual({ symbol: 'parents', module: path, offset: 16 });
      expect([child, grandchild, parent].map((pid) => nameIn(maps, pid, 0x3000n))).toEqual([
        'childs',
        'childs',
        'both',
      ]);
      expect(nameIn(maps, grandchild)).toBe('parents');
    });

    test('until the child runs another program', () => {
      stoppedClock();
      const [parent, child] = [newPid(), newPid()];
      written(parent);
      const maps = newPerfMaps();
      maps.forked(parent, child, 1);
      maps.see(child, 1);
      maps.execed(child, 2);
      expect(maps.find(child, 2, 0x1010n)).toBeUndefined();
      expect(maps.find(child, 1, 0x1010n)?.symbol).toBe(WAIT);
    });

    test('that it forked before the collection, as long as both run the same program', async () => {
      stoppedClock();
      const parent = started('sh', ['-c', 'exec 3<&0; (read x <&3) & echo $!; wait'], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      const child = Number(await new Promise((resolve) => parent.stdout?.once('data', resolve)));
      written(parent.pid as number);
      const [other] = [newPid()];
      const maps = newPerfMaps();
      for (const pid of [child, other]) maps.see(pid, 1);
      expect(nameIn(maps, child)).toBe(WAIT);
      written(process.pid); // the parent of the other one runs another program
      expect(nameIn(maps, other)).toBeUndefined();
    });

    test('even if they are parents of each other, as reused numbers may be', () => {
      stoppedClock();
      const [one, other] = [newPid(), newPid()];
      const maps = newPerfMaps();
      maps.forked(one, other, 1);
      maps.forked(other, one, 1);
      expect(nameIn(maps, one)).toBeUndefined();
    });
  });

  test('grows, and is read again after a second', () => {
    const clock = stoppedClock();
    const pid = newPid();
    const path = written(pid);
    const maps = newPerfMaps();
    expect(nameIn(maps, pid)).toBe(WAIT);
    appendFileSync(path, '1000 80 new\n2000 10 mo');
    clock.pass(1000);
    expect(nameIn(maps, pid)).toBe(WAIT);
    clock.pass(1);
    expect([0x1010n, 0x2000n].map((address) => nameIn(maps, pid, address))).toEqual(['new', undefined]);
    appendFileSync(path, 're\n');
    clock.pass(1001);
    expect(nameIn(maps, pid, 0x2000n)).toBe('more');
    expect(maps.problems()).toEqual([]);
  });

  test('may be created after the process was first seen', () => {
    stoppedClock();
    const pid = newPid();
    const maps = newPerfMaps();
    maps.see(pid, 1);
    written(pid);
    maps.see(pid, 1);
    expect(nameIn(maps, pid)).toBe(WAIT);
  });

  test('is opened once, and can be read after it was deleted', async () => {
    stoppedClock();
    const child = started();
    const pid = child.pid as number;
    const path = written(pid);
    const descriptors = () => readdirSync('/proc/self/fd').length;
    const maps = newPerfMaps();
    const before = descriptors();
    for (let i = 0; i < 7; i++) maps.see(pid, 1);
    expect(descriptors()).toBe(before + 1);
    child.kill();
    await untilGone(pid);
    rmSync(path);
    expect(nameIn(maps, pid)).toBe(WAIT);
  });

  test('may not exist', () => {
    expectNone(newPid());
  });

  test('is not that of an earlier process with the same pid', () => {
    stoppedClock();
    const pid = newPid();
    utimesSync(written(pid), 1, 1);
    expectNone(pid);
  });

  test('is read as far as possible, and unreadable lines are counted', () => {
    stoppedClock();
    const pid = newPid();
    written(pid, `${MAP}no function\n2000 0 empty\n`);
    const maps = newPerfMaps();
    expect(nameIn(maps, pid)).toBe(WAIT);
    expect(maps.problems()).toEqual([
      `/proc/${pid}/root/tmp/perf-${pid}.map has 2 lines that could not be read`,
    ]);
  });

  test('is only read up to a limit', () => {
    stoppedClock();
    const pid = newPid();
    truncateSync(written(pid), 2 ** 26 + 7);
    const maps = newPerfMaps();
    expect(nameIn(maps, pid)).toBe(WAIT);
    expect(maps.problems()).toEqual([
      `/proc/${pid}/root/tmp/perf-${pid}.map was read up to 67108864 of its 67108871 bytes`,
    ]);
  });
});

describe.skipIf(process.platform !== 'linux')('the perf map of a process that runs another program', () => {
  const nameFor = (maps: PerfMaps, pid: number, generation: number, address = 0x1010n) =>
    maps.find(pid, generation, address)?.symbol;

  /** A process whose map was seen with its first program, and which has run a second program since. */
  const execed = () => {
    const clock = stoppedClock();
    const pid = newPid();
    const path = written(pid);
    const maps = newPerfMaps();
    maps.see(pid, 1);
    maps.execed(pid, 2);
    clock.pass(2000);
    return { clock, pid, path, maps };
  };

  test('belongs to the program before', () => {
    const { maps, pid } = execed();
    expect([1, 2].map((generation) => nameFor(maps, pid, generation))).toEqual([WAIT, undefined]);
    expect([maps.has(pid), maps.problems()]).toEqual([true, []]);
  });

  test.each<[string, (path: string, text: string) => void]>([
    ['writes it anew', writeFileSync],
    ['adds to it', (path, text) => appendFileSync(path, text)],
    [
      'replaces it',
      (path, text) => {
        rmSync(path);
        writeFileSync(path, text);
      },
    ],
  ])('belongs to the new program after it %s', (_, write) => {
    const { maps, pid, path, clock } = execed();
    expect(nameFor(maps, pid, 2)).toBeUndefined();
    write(path, '1000 100 second\n');
    clock.pass(2000);
    expect([1, 2].map((generation) => nameFor(maps, pid, generation))).toEqual([WAIT, 'second']);
  });

  test('is not opened for a program that ended before it was seen', () => {
    const { maps, pid } = execed();
    maps.execed(pid, 3);
    maps.see(pid, 2);
    expect(nameFor(maps, pid, 2)).toBeUndefined();
  });

  test('is not used for a program whose events come late', () => {
    stoppedClock();
    const pid = newPid();
    written(pid);
    const maps = newPerfMaps();
    maps.see(pid, 3);
    expect([2, 3].map((generation) => nameFor(maps, pid, generation))).toEqual([undefined, WAIT]);
  });
});

describe.skipIf(process.platform !== 'linux')('a file that others may have created', () => {
  test('is not read if it is a symbolic link', () => {
    stoppedClock();
    const [pid, other] = [newPid(), newPid()];
    symlinkSync(written(other), placeOf(pid));
    expectRefused(pid, 'it is a symbolic link');
  });

  test.each<[string, (path: string) => void]>([
    ['a folder', (path) => mkdirSync(path)],
    ['a FIFO, which must not block', (path) => execFileSync('mkfifo', [path])],
  ])('is not read if it is %s', (_, make) => {
    stoppedClock();
    const pid = newPid();
    make(placeOf(pid));
    expectRefused(pid, 'it is not a regular file');
  });

  describe.skipIf(!ROOT)('owned by a user', () => {
    test('who does not run the process is not read', () => {
      stoppedClock();
      const pid = newPid();
      chownSync(written(pid), OTHER_USER, OTHER_USER);
      expectRefused(pid, `it belongs to user ${OTHER_USER}`);
    });

    test.each([
      ['who runs it', OTHER_USER],
      ['who is root', 0],
    ])('%s is read', (_, owner) => {
      stoppedClock();
      const pid = newPid({ uid: OTHER_USER, gid: OTHER_USER });
      chownSync(written(pid), owner, owner);
      const maps = newPerfMaps();
      expect(nameIn(maps, pid)).toBe(WAIT);
      expect(maps.problems()).toEqual([]);
    });
  });
});

describe.skipIf(process.platform !== 'linux')('the perf map of a process that has ended', () => {
  test('is found in our root if it is recent', async () => {
    stoppedClock();
    const maps = newPerfMaps();
    const pid = await endedPid();
    const path = written(pid);
    expect(maps.find(pid, 1, 0x1010n)).toEqual({ symbol: WAIT, module: path, offset: 16 });
    expect(maps.problems()).toEqual([]);
  });

  test('is not one that was written before we started', async () => {
    stoppedClock();
    const pid = await endedPid();
    const minuteAgo = Date.now() / 1000 - 60;
    utimesSync(written(pid), minuteAgo, minuteAgo);
    expectNone(pid);
  });

  test('may not exist', async () => {
    expectNone(await endedPid());
  });

  test.skipIf(!ROOT)('must be owned by root, or by the user who ran sudo', async () => {
    stoppedClock();
    const pid = await endedPid();
    const path = written(pid);
    chownSync(path, OTHER_USER, OTHER_USER);
    const refused = newPerfMaps();
    expect(nameIn(refused, pid)).toBeUndefined();
    expect(refused.problems()).toEqual([`${path} was not read: it belongs to user ${OTHER_USER}`]);
    vi.stubEnv('SUDO_UID', `${OTHER_USER}`);
    expect(nameIn(newPerfMaps(), pid)).toBe(WAIT);
  });
});

/** True if we may not create namespaces. */
const CONFINED =
  MAY_SKIP &&
  spawnSync('unshare', ['--mount', '--pid', '--fork', 'mount', '-t', 'tmpfs', 'tmpfs', '/tmp']).status !== 0;

describe.skipIf(CONFINED)('the perf map of a process in a container', () => {
  /** Starts a process that writes its map into its own /tmp. Returns its pid in our namespace. */
  const contained = async (...options: string[]): Promise<number> => {
    const script = `mount -t tmpfs tmpfs /tmp && echo "${MAP.trim()}" >/tmp/perf-$$.map && echo && exec sleep 60`;
    const stdio = ['ignore', 'pipe', 'ignore'] as const;
    const outer = started('unshare', ['--mount', ...options, 'sh', '-c', script], { stdio: [...stdio] });
    await new Promise((resolve) => outer.stdout?.once('data', resolve));
    const children = readFileSync(`/proc/${outer.pid}/task/${outer.pid}/children`, 'utf8');
    return Number.parseInt(children, 10) || (outer.pid as number);
  };

  describe.each([
    ['its own files', []],
    ['its own files and numbers', ['--pid', '--fork', '--kill-child']],
  ])('with %s', (_, options) => {
    test('is found in the container', async () => {
      stoppedClock();
      const pid = await contained(...options);
      const path = placeOf(pid);
      expect(newPerfMaps().find(pid, 1, 0x1010n)).toEqual({ symbol: WAIT, module: path, offset: 16 });
    });

    test('can be read after the end of the process if it was seen before', async () => {
      stoppedClock();
      const pid = await contained(...options);
      const [seen, unseen] = [newPerfMaps(), newPerfMaps()];
      seen.see(pid, 1);
      process.kill(pid, 'SIGKILL');
      await untilGone(pid);
      expect([seen, unseen].map((maps) => nameIn(maps, pid))).toEqual([WAIT, undefined]);
    });
  });
});

describe.skipIf(process.platform !== 'linux')('with many processes', () => {
  const beyondAll = 5_000_000; // no process has such a number
  const numbers = (length: number) => Array.from({ length }, (_, i) => beyondAll + i);

  test('at most 256 maps stay open', () => {
    stoppedClock();
    const maps = newPerfMaps();
    const pids = numbers(257);
    for (const pid of pids) written(pid);
    expect(pids.map((pid) => nameIn(maps, pid)).filter(Boolean)).toHaveLength(256);
    expect(maps.problems()).toEqual([
      expect.stringMatching(`^/tmp/perf-${beyondAll + 256}\\.map was not read: 256 such files are open`),
    ]);
  });

  test('processes without a map are not a problem, and do not count towards the limit', () => {
    stoppedClock();
    const maps = newPerfMaps();
    for (const pid of numbers(300)) maps.find(pid, 1, 0x1010n);
    written(beyondAll + 300);
    expect(nameIn(maps, beyondAll + 300)).toBe(WAIT);
    expect(maps.problems()).toEqual([]);
  });

  test('the first of 4,097 processes is forgotten, and its map closed', () => {
    const path = written(beyondAll);
    const maps = newPerfMaps();
    expect(nameIn(maps, beyondAll)).toBe(WAIT);
    const openMaps = () => {
      const links = readdirSync('/proc/self/fd').map((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`);
        } catch {
          return ''; // the descriptor of this listing
        }
      });
      return links.filter((link) => link === path).length;
    };
    expect(openMaps()).toBe(1);
    for (const pid of numbers(4097)) maps.see(pid, 1);
    expect(openMaps()).toBe(0);
  });
});
