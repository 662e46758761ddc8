import { stripVTControlCharacters as plainOf } from 'node:util';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { BTPROF, btprof, profile } from './btprof.ts';

/** Waits five times for 50 ms for events that never come. */
const LOOP = [
  '/usr/bin/python3',
  '-c',
  'import select; e = select.epoll(); [e.poll(0.05) for _ in range(5)]',
];

describe.concurrent('an event loop', () => {
  test('is idle time, unless the user overrides that', async () => {
    const { ebpf, account } = await profile(['run', '--', ...LOOP]);
    const events = ebpf.offcpu?.idle.by_kind.events;
    expect(events).toMatchObject({ count: 5 });
    expect(account?.idle_ns).toEqual({ poll: events?.time_ns });
    const overridden = await profile(['run', '--idle-match', '!epoll|ep_poll', '--', ...LOOP]);
    expect(overridden.ebpf.offcpu?.idle).toEqual({ time_ns: 0, count: 0, by_kind: {} });
    expect(overridden.ebpf.offcpu?.by_reason.poll).toMatchObject({ count: 5 });
  });

  test('is folded into one line of the summary, or listed like other waits', async () => {
    const folded = await btprof(['run', '--', ...LOOP]);
    const line = /^ {2}of which idle: (\d+\.\d) ms in 5 waits \(events \1 ms\)$/m;
    expect(Number(line.exec(folded.stderr)?.[1])).toBeGreaterThanOrEqual(250);
    expect(folded.stderr).not.toMatch(/e(p_)?poll\w*\]$/m);
    const shown = await btprof(['run', '--idle', 'show', '--', ...LOOP]);
    expect(shown.stderr).toMatch(/ poll .*e(p_)?poll\w*\]$/m);
  });
});

/** The output of btprof on a terminal of 60 columns. */
async function onTerminal(env: Record<string, string>, args = 'run -- sleep 0.1'): Promise<string> {
  const utf8 = { TERM: 'xterm', LC_ALL: 'C.UTF-8', NO_COLOR: '' };
  const command = `stty cols 60; ${BTPROF} ${args}`;
  const { stdout } = await execa('script', ['-qec', command, '/dev/null'], { env: { ...utf8, ...env } });
  return stdout.replaceAll('\r\n', '\n');
}

describe.concurrent('on a terminal', () => {
  test('the summary uses colours and the width of the terminal', async () => {
    const text = await onTerminal({});
    expect(plainOf(text)).not.toBe(text);
    expect(text).toContain('█');
    const lines = plainOf(text).split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(60);
  });

  test('NO_COLOR and the locale are honoured', async () => {
    const plain = await onTerminal({ NO_COLOR: '1', LC_ALL: 'C' });
    expect(plain).toContain('###');
    expect(plain).toMatch(/^[\n -~]*$/);
  });

  test('attach shows the elapsed time, and clears it at the end', async () => {
    const text = await onTerminal({}, `attach -d 1500ms ${process.pid}`);
    expect(text).toContain('\r\u001b[Kbtprof: collecting, 1 s\r\u001b[K');
  });
});

test('output to a file or pipe has no colours, and -v prints the stacks', async () => {
  const { stderr } = await btprof(['run', '-v', '--', 'sleep', '0.1'], { env: { LC_ALL: 'C.UTF-8' } });
  expect(stderr).not.toContain('\u001b');
  const longest = /^ {2}1\. sleep, the longest of thread \d+:\d+, (\d+\.\d) ms in 1 wait:$/m;
  expect(Number(longest.exec(stderr)?.[1])).toBeGreaterThanOrEqual(100);
  expect(stderr).toMatch(/^ {6}do_nanosleep\+0x[\da-f]+ \(\[kernel\]\)$/m);
});
