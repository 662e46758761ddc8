import { describe, expect, test } from 'vitest';
import {
  parseKernelStack,
  parseMaps,
  parseOpenFilesLimit,
  parseStat,
  parseStatus,
  parseUserPc,
} from '../../../parsers/proc.ts';

describe('maps', () => {
  const text = `\
55ed5ddef000-55ed5ddf1000 r--p 00000000 fe:00 260875                     /usr/bin/sleep
55ed5ddf1000-55ed5ddf6000 r-xp 00002000 fe:00 260875                     /usr/bin/sleep
55ed5ddf8000-55ed5ddfa000 rw-p 00009000 fe:00 260875                     /usr/bin/sleep
7f7e13cf7000-7f7e13cf9000 r-xp 00000000 00:00 0                          [vdso]
7f7e13d00000-7f7e13d01000 rwxp 00000000 00:00 0 
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
`;

  test('only executable mappings are read, with every digit of their addresses', () => {
    expect(parseMaps(text)).toEqual([
      {
        ...{ start: 0x55ed5ddf1000n, end: 0x55ed5ddf6000n, fileOffset: 0x2000n },
        ...{ file: 'fe:00 260875', path: '/usr/bin/sleep' },
      },
      { start: 0x7f7e13cf7000n, end: 0x7f7e13cf9000n, fileOffset: 0n, file: '00:00 0', path: '[vdso]' },
      { start: 0x7f7e13d00000n, end: 0x7f7e13d01000n, fileOffset: 0n, file: '00:00 0', path: '' },
      {
        ...{ start: 0xffffffffff600000n, end: 0xffffffffff601000n, fileOffset: 0n },
        ...{ file: '00:00 0', path: '[vsyscall]' },
      },
    ]);
  });

  test.each([
    ['fe:00', '260875'],
    ['103:7ffff', '18446744073709551615'],
    ['00:2a', '1'],
  ])('files are identified by their device %s and inode %s', (device, inode) => {
    const [mapping] = parseMaps(`55ed5ddf1000-55ed5ddf6000 r-xp 00002000 ${device} ${inode}     /a b\n`);
    expect(mapping).toMatchObject({ file: `${device} ${inode}`, path: '/a b' });
  });

  test('a row may have no path, as for a file without a known name', () => {
    expect(parseMaps('1000-2000 r-xp 3000 fe:00 260875 \n')).toEqual([
      { start: 0x1000n, end: 0x2000n, fileOffset: 0x3000n, file: 'fe:00 260875', path: '' },
    ]);
  });

  test.each([
    '/opt/my app/lib (1), "x".so',
    '/tmp/x (deleted)',
    '/tmp/a\\012b',
    '/tmp/a\rb\u2028c',
    '/tmp/é',
  ])('the path %j is read completely', (path) => {
    const [mapping] = parseMaps(`55ed5ddf1000-55ed5ddf6000 r-xp 00002000 fe:00 260875     ${path}\n`);
    expect(mapping?.path).toBe(path);
  });

  test('a path cannot imitate another mapping', () => {
    const path = '/tmp/\u20281000-2000 r-xp 00000000 00:00 0 /etc/passwd';
    expect(parseMaps(`55ed5ddf1000-55ed5ddf6000 r-xp 00002000 fe:00 1 ${path}\n`)).toHaveLength(1);
  });

  test.each(['', 'garbage\n', '55ed5ddf1000-55ed5ddf6000 r-xp'])('%j has no mappings', (bad) => {
    expect(parseMaps(bad)).toEqual([]);
  });
});

describe('stat', () => {
  const tail = 'S 1 2933 2933 34816 2933 4194304 8 0 0 0 1234 56 7 8 20 0 4 0 900 1 2';

  test.each(['sleep', 'a) b', 'a) (b "q"\n', ') S 9 9 9 9 9 9', ''])(
    'a process named %j is read like any other',
    (comm) => {
      expect(parseStat(`2933 (${comm}) ${tail}\n`)).toEqual({
        state: 'S',
        ppid: 1,
        ttyNr: 34816,
        kernelThread: false,
        cpuNs: 12_900_000_000,
        startSeconds: 9,
      });
    },
  );

  test('a kernel thread is known by its flags', () => {
    const text = '2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0\n';
    expect(parseStat(text)).toMatchObject({ kernelThread: true });
  });

  test.each(['', '2933 (sleep', '2933 (sleep) S 1 2'])('the incomplete text %j has no values', (text) => {
    expect(parseStat(text)).toBeUndefined();
  });
});

describe('status', () => {
  const text = `\
Name:\ta\\nTgid: 9
Tgid:\t2933
Uid:\t1000\t33\t1000\t1000
NSpid:\t2933\t17\t1
VmPeak:\t  900000 kB
VmHWM:\t   81920 kB
VmRSS:\t   4096 kB
`;

  test('has the process, the effective user, the pid in its own namespace, and the peak memory in bytes', () => {
    expect(parseStatus(text)).toEqual({ tgid: 2933, uid: 33, innerPid: 1, peakBytes: 80 * 2 ** 20 });
  });

  test('a kernel thread has no peak memory', () => {
    expect(parseStatus(text.replace(/^Vm.*\n/gm, '')).peakBytes).toBeUndefined();
  });

  test('an empty text, as of an ended process, has no values', () => {
    expect(Object.values(parseStatus(''))).toEqual(Array(5).fill(undefined));
  });
});

describe('limits', () => {
  const text = (soft: string) => `\
Limit                     Soft Limit           Hard Limit           Units     
Max processes             96365                96365                processes 
Max open files            ${soft.padEnd(20)} 20000                files     
Max locked memory         8388608              8388608              bytes     
`;

  test.each(['1024', 'unlimited'])('include the soft limit of open files: %s', (soft) => {
    expect(parseOpenFilesLimit(text(soft))).toBe(soft);
  });

  test('are undefined without its row', () => {
    expect(parseOpenFilesLimit('Max processes  96365  96365  processes\n')).toBeUndefined();
  });
});

describe('kernel stack of a blocked thread', () => {
  test('frames are leaf first', () => {
    const text = `\
[<0>] hrtimer_nanosleep+0x74/0xf0
[<0>] common_nsleep+0x30/0x60
[<0>] ext4_read_bh.constprop.0+0xa2/0xb0 [ext4]
[<ffffffff8124a526>] entry_SYSCALL_64_after_hwframe+0x76/0x7e
`;
    expect(parseKernelStack(text)).toEqual([
      { symbol: 'hrtimer_nanosleep', offset: 0x74 },
      { symbol: 'common_nsleep', offset: 0x30 },
      { symbol: 'ext4_read_bh.constprop.0', offset: 0xa2 },
      { symbol: 'entry_SYSCALL_64_after_hwframe', offset: 0x76 },
    ]);
  });

  test.each(['', '[<0>] 0xffffffffffffffff\n'])('%j has no frames', (text) => {
    expect(parseKernelStack(text)).toEqual([]);
  });
});

describe('the user address of a blocked thread', () => {
  test('is the last word, the program counter', () => {
    const text = '230 0x0 0x0 0x7ffd1f087790 0x7ffd1f0877d0 0x0 0x0 0x7ffd1f087778 0x7f7e13bd3503\n';
    expect(parseUserPc(text)).toBe('0x7f7e13bd3503');
  });

  test('exists outside of a system call too', () => {
    expect(parseUserPc('-1 0x7ffd1f087778 0x7f7e13bd3503\n')).toBe('0x7f7e13bd3503');
  });

  test.each(['running\n', ''])('is undefined for %j', (text) => {
    expect(parseUserPc(text)).toBeUndefined();
  });
});
