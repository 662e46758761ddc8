import { closeSync, openSync, unlinkSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { runTool } from '../../../../bt/symbols/tools.ts';
import { newWorkshop } from './real-programs.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

/** Runs a shell command as a tool and returns its output. */
const shell = async (command: string, input: Buffer | string = '') =>
  (await runTool(['sh', '-c', command], { input }))?.toString();

describe.skipIf(process.platform !== 'linux')('a tool', () => {
  test.skipIf(process.geteuid?.() !== 0).each([
    ['user', 'id -u'],
    ['group', 'id -g'],
    ['groups', 'id -G'],
  ])('runs without privileges if we are root: %s', async (_, command) => {
    expect(await shell(command)).toMatch(/^21474\d{5}\n$/);
  });

  test('can use 4 GiB of memory', async () => {
    expect(await shell('ulimit -v')).toBe(`${4 * 2 ** 20}\n`);
  });

  test('runs in a neutral directory, with only PATH in its environment', async () => {
    vi.stubEnv('DEBUGINFOD_URLS', 'https://example.org');
    expect(await shell('pwd')).toBe('/\n');
    const names = (await shell('env'))?.match(/^\w+(?==)/gm);
    expect(names).toEqual(expect.arrayContaining(['PATH', 'LC_ALL']));
    expect(
      names?.filter((name) => !['PATH', 'LC_ALL', 'PWD', 'OLDPWD', 'SHLVL', '_'].includes(name)),
    ).toEqual([]);
  });

  test('gets its arguments unchanged', async () => {
    const args = ['$HOME', 'a b', '"', "'", '', '*', 'é', '`id`'];
    expect((await runTool(['printf', '%s\\n', ...args], { input: '' }))?.toString()).toBe(
      `${args.join('\n')}\n`,
    );
  });

  test.each([
    ['text', 'größe\n'],
    ['bytes', Buffer.from([0, 0xff, 0x0a, 0x80])],
    ['5 MiB of text', Buffer.alloc(5 * 2 ** 20, 'x')],
    ['nothing', ''],
  ])('gets its input, and its output is returned: %s', async (_, input) => {
    expect((await runTool(['cat'], { input }))?.equals(Buffer.from(input))).toBe(true);
  });

  test('does not need to read its input', async () => {
    expect(await runTool(['true'], { input: Buffer.alloc(5 * 2 ** 20) })).toHaveLength(0);
  });

  test('ignores Ctrl-C, which asks btprof for its result', async () => {
    expect(await shell('kill -INT $$; echo alive')).toBe('alive\n');
  });

  test('prints no errors on our terminal', async () => {
    expect(await shell('readlink /proc/self/fd/2')).toBe('/dev/null\n');
  });

  describe('with a descriptor', () => {
    const { in_, close } = newWorkshop('tools');
    afterAll(close);

    test('gets it as descriptor 3', async () => {
      writeFileSync(in_('gone'), 'still here');
      const descriptor = openSync(in_('gone'), 'r');
      unlinkSync(in_('gone'));
      expect((await runTool(['sh', '-c', 'cat <&3'], { input: '', descriptor }))?.toString()).toBe(
        'still here',
      );
      closeSync(descriptor);
    });

    test('gets no other descriptor of btprof', async () => {
      writeFileSync(in_('ours'), '');
      const descriptor = openSync(in_('ours'), 'r');
      const open = (await shell('for fd in /proc/self/fd/*; do readlink $fd; done; true')) ?? '';
      expect(open).toContain('/dev/null');
      expect(open).not.toContain(in_('ours'));
      closeSync(descriptor);
    });
  });
});

describe.skipIf(process.platform !== 'linux')('output is undefined', () => {
  test.each([
    ['of a missing tool', ['no-such-tool-of-btprof']],
    ['of a tool that fails', ['false']],
    ['of a tool that fails after its output', ['sh', '-c', 'echo text; exit 3']],
    ['of a tool that is killed', ['sh', '-c', 'echo text; kill -9 $$']],
    ['of a file that is not a program', ['/etc/passwd']],
    ['of a folder', ['/']],
  ])('%s', async (_, command) => {
    expect(await runTool(command, { input: '' })).toBeUndefined();
  });

  test('if PATH contains no directory', async () => {
    vi.stubEnv('PATH', '/nonexistent');
    expect(await runTool(['cat'], { input: '' })).toBeUndefined();
  });

  test('of a tool that exceeds its memory limit', async () => {
    const most = (bytes: string) =>
      runTool(['dd', 'if=/dev/null', 'of=/dev/null', 'count=1', `bs=${bytes}`], { input: '' });
    expect(await most('1M')).toHaveLength(0);
    expect(await most('6G')).toBeUndefined();
  });
});
