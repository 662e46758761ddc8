import { describe, expect, test } from 'vitest';
import {
  executableRows,
  parseCpuTime,
  parseKallsyms,
  parseKernelStack,
  parseMaps,
  parseOpenFilesLimit,
  parsePeakMemory,
  parseStat,
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

  test('executable mappings only, with every digit of their addresses', () => {
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
  ])('a file is told by its device %s and its inode %s', (device, inode) => {
    const [mapping] = parseMaps(`55ed5ddf1000-55ed5ddf6000 r-xp 00002000 ${device} ${inode}     /a b\n`);
    expect(mapping).toMatchObject({ file: `${device} ${inode}`, path: '/a b' });
  });

  test('a row without a path, as of a file whose name is not known, is one', () => {
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
  ])('the path %j is whole', (path) => {
    const [mapping] = parseMaps(`55ed5ddf1000-55ed5ddf6000 r-xp 00002000 fe:00 260875     ${path}\n`);
    expect(mapping?.path).toBe(path);
  });

  test('the rows that are kept say the same', () => {
    expect(parseMaps(executableRows(text))).toEqual(parseMaps(text));
    expect(executableRows(text)).not.toContain('r--p');
    expect(executableRows('')).toBe('');
  });

  test('a path is kept whole, and cannot pass for another row', () => {
    const row =
      '1000-2000 r-xp 00000000 00:00 0 /tmp/a\rb\u20283000-4000 r-xp 00000000 00:00 0 /etc/passwd\n';
    expect(executableRows(row)).toBe(row);
    expect(executableRows(row.replace('r-xp', 'r--p'))).toBe('');
  });

  test('a path cannot pass for another mapping', () => {
    const path = '/tmp/\u20281000-2000 r-xp 00000000 00:00 0 /etc/passwd';
    expect(parseMaps(`55ed5ddf1000-55ed5ddf6000 r-xp 00002000 fe:00 1 ${path}\n`)).toHaveLength(1);
  });

  test.each(['', 'garbage\n', '55ed5ddf1000-55ed5ddf6000 r-xp'])('none in %j', (bad) => {
    expect(parseMaps(bad)).toEqual([]);
  });
});

describe('stat', () => {
  const tail = 'S 1 2933 2933 34816 2933 4194304 68 0 0 0\n';

  test.each(['sleep', 'a) b', 'a) (b "q"\n', ') S 9 9 9 9 9 9', ''])(
    'the name %j does not disturb',
    (comm) => {
      expect(parseStat(`2933 (${comm}) ${tail}`)).toEqual({
        state: 'S',
        ppid: 1,
        ttyNr: 34816,
        kernelThread: false,
      });
    },
  );

  test('a kernel thread is told by its flags', () => {
    expect(parseStat('2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0')).toMatchObject({ kernelThread: true });
  });

  test.each(['', '2933 (sleep', '2933 (sleep) S 1 2'])('nothing in %j', (text) => {
    expect(parseStat(text)).toBeUndefined();
  });
});

describe('what a process takes', () => {
  test('of the CPUs, with all its threads, in ns', () => {
    const stat = '2933 (a) b) S 1 2933 2933 34816 2933 4194304 8 0 0 0 1234 56 7 8 20 0 4 0 900';
    expect(parseCpuTime(stat)).toBe(12_900_000_000);
    expect(parseCpuTime('')).toBeUndefined();
  });

  test('of memory at most, in bytes', () => {
    expect(parsePeakMemory('VmPeak:\t  900000 kB\nVmHWM:\t   81920 kB\nVmRSS:\t   4096 kB\n')).toBe(
      80 * 2 ** 20,
    );
    expect(parsePeakMemory('Name:\tkthreadd\n')).toBeUndefined();
  });
});

describe('limits', () => {
  const text = (soft: string) => `\
Limit                     Soft Limit           Hard Limit           Units     
Max processes             96365                96365                processes 
Max open files            ${soft.padEnd(20)} 20000                files     
Max locked memory         8388608              8388608              bytes     
`;

  test.each(['1024', 'unlimited'])('the soft limit of open files: %s', (soft) => {
    expect(parseOpenFilesLimit(text(soft))).toBe(soft);
  });

  test('none without its row', () => {
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

  test.each(['', '[<0>] 0xffffffffffffffff\n'])('no frames in %j', (text) => {
    expect(parseKernelStack(text)).toEqual([]);
  });
});

describe('where a blocked thread entered the kernel', () => {
  test('the last word is the program counter', () => {
    const text = '230 0x0 0x0 0x7ffd1f087790 0x7ffd1f0877d0 0x0 0x0 0x7ffd1f087778 0x7f7e13bd3503\n';
    expect(parseUserPc(text)).toBe('0x7f7e13bd3503');
  });

  test('a thread blocked outside a system call has one too', () => {
    expect(parseUserPc('-1 0x7ffd1f087778 0x7f7e13bd3503\n')).toBe('0x7f7e13bd3503');
  });

  test.each(['running\n', ''])('none in %j', (text) => {
    expect(parseUserPc(text)).toBeUndefined();
  });
});

describe('kernel symbols', () => {
  const text = `\
ffffffff8141fc60 T hrtimer_nanosleep
ffffffff822003e0 t do_nanosleep
ffffffffc0205000 t ftrace_trampoline\t[__builtin__ftrace]
ffffffffc0206000 t do_nanosleep\t[copy]
`;

  test('the wanted ones only, with the address of the first of a name', () => {
    const wanted = new Set(['do_nanosleep', 'ftrace_trampoline', 'absent']);
    expect([...parseKallsyms(text, wanted)]).toEqual([
      ['do_nanosleep', '0xffffffff822003e0'],
      ['ftrace_trampoline', '0xffffffffc0205000'],
    ]);
  });

  test('a part of a name is not the name', () => {
    expect(parseKallsyms(text, new Set(['nanosleep'])).size).toBe(0);
  });
});
