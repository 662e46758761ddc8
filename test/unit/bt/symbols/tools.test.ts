import { closeSync, openSync, unlinkSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { runTool } from '../../../../bt/symbols/tools.ts';
import { newWorkshop } from './real-programs.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

/** What a command of the shell writes. */
const shell = (command: string, input: Buffer | string = '') =>
  runTool(['sh', '-c', command], { input })?.toString();

describe.skipIf(process.platform !== 'linux')('a tool', () => {
  test.skipIf(process.geteuid?.() !== 0).each([
    ['user', 'id -u'],
    ['group', 'id -g'],
    ['groups', 'id -G'],
  ])('has the rights of no user when we are root: its %s', (_, command) => {
    expect(shell(command)).toMatch(/^21474\d{5}\n$/);
  });

  test('may take 4 GiB of memory', () => {
    expect(shell('ulimit -v')).toBe(`${4 * 2 ** 20}\n`);
  });

  test('is in no folder of ours, and knows nothing of our environment but PATH', () => {
    vi.stubEnv('DEBUGINFOD_URLS', 'https://example.org');
    expect(shell('pwd')).toBe('/\n');
    const names = shell('env')?.match(/^\w+(?==)/gm);
    expect(names).toEqual(expect.arrayContaining(['PATH', 'LC_ALL']));
    expect(
      names?.filter((name) => !['PATH', 'LC_ALL', 'PWD', 'OLDPWD', 'SHLVL', '_'].includes(name)),
    ).toEqual([]);
  });

  test('gets its arguments as they are', () => {
    const args = ['$HOME', 'a b', '"', "'", '', '*', 'é', '`id`'];
    expect(runTool(['printf', '%s\\n', ...args], { input: '' })?.toString()).toBe(`${args.join('\n')}\n`);
  });

  test.each([
    ['text', 'größe\n'],
    ['bytes', Buffer.from([0, 0xff, 0x0a, 0x80])],
    ['as much as there is', Buffer.alloc(5 * 2 ** 20, 'x')],
    ['nothing', ''],
  ])('gets what it is to read, and what it writes is passed on: %s', (_, input) => {
    expect(runTool(['cat'], { input })?.equals(Buffer.from(input))).toBe(true);
  });

  test('need not read what it gets', () => {
    expect(runTool(['true'], { input: Buffer.alloc(5 * 2 ** 20) })).toHaveLength(0);
  });

  test('writes no errors to our terminal', () => {
    expect(shell('readlink /proc/self/fd/2')).toBe('/dev/null\n');
  });

  describe('of descriptors', () => {
    const { in_, close } = newWorkshop('tools');
    afterAll(close);

    test('gets the one that it is given as its third', () => {
      writeFileSync(in_('gone'), 'still here');
      const descriptor = openSync(in_('gone'), 'r');
      unlinkSync(in_('gone'));
      expect(runTool(['sh', '-c', 'cat <&3'], { input: '', descriptor })?.toString()).toBe('still here');
      closeSync(descriptor);
    });

    test('gets none of ours else', () => {
      writeFileSync(in_('ours'), '');
      const descriptor = openSync(in_('ours'), 'r');
      const open = shell('for fd in /proc/self/fd/*; do readlink $fd; done; true') ?? '';
      expect(open).toContain('/dev/null');
      expect(open).not.toContain(in_('ours'));
      closeSync(descriptor);
    });
  });
});

describe.skipIf(process.platform !== 'linux')('there is no output', () => {
  test.each([
    ['of a tool that is missing', ['no-such-tool-of-btprof']],
    ['of a tool that fails', ['false']],
    ['of a tool that fails when it has written', ['sh', '-c', 'echo text; exit 3']],
    ['of a tool that is killed', ['sh', '-c', 'echo text; kill -9 $$']],
    ['of what is no program', ['/etc/passwd']],
    ['of a folder', ['/']],
  ])('%s', (_, command) => {
    expect(runTool(command, { input: '' })).toBeUndefined();
  });

  test('where PATH leads nowhere', () => {
    vi.stubEnv('PATH', '/nonexistent');
    expect(runTool(['cat'], { input: '' })).toBeUndefined();
  });

  test('of a tool that takes more memory than it may', () => {
    const most = (bytes: string) =>
      runTool(['dd', 'if=/dev/null', 'of=/dev/null', 'count=1', `bs=${bytes}`], { input: '' });
    expect(most('1M')).toHaveLength(0);
    expect(most('6G')).toBeUndefined();
  });
});
