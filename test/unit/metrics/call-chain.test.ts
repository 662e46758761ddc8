import { describe, expect, test } from 'vitest';
import { callChains } from '../../../metrics/call-chain.ts';
import type { Frame } from '../../../metrics/fields.ts';

const LIBC = '/usr/lib/x86_64-linux-gnu/libc.so.6';
const APP = '/usr/bin/app';

function frame(symbol: string | null, module: string | null): Frame {
  return { address: '0x7f00', symbol, module, offset: 16 };
}

/** A stack with these frames, and its kernel functions. */
function chain(user: Frame[], kernel: string[], reason: 'lock' | 'preempted' = 'lock'): string {
  const frames = [...user, ...kernel.map((symbol) => frame(symbol, '[kernel]'))];
  const indices = frames.map((_, i) => i);
  const place = { reason, user: indices.slice(0, user.length), kernel: indices.slice(user.length) };
  return callChains(frames, { preempted: 'no CPU' }).textOf(place);
}

const app = (...names: string[]) => names.map((name) => frame(name, APP));
const libc = (...names: string[]) => names.map((name) => frame(name, LIBC));

describe('the description of a wait', () => {
  test.each<[string, Frame[], string[], string]>([
    [
      'starts with the application',
      [
        ...libc('__lll_lock_wait', 'pthread_mutex_lock'),
        ...app('step', 'worker'),
        ...libc('start_thread', 'clone3'),
      ],
      ['__schedule', 'schedule', 'futex_do_wait', 'do_futex'],
      'step < worker [pthread_mutex_lock, futex_do_wait]',
    ],
    ['stops after three functions', app('a', 'b', 'c', 'd'), ['do_wait'], 'a < b < c [do_wait]'],
    [
      'treats libraries of the application as part of it',
      [...libc('read'), frame('SSL_read', '/usr/lib/libssl.so.3'), ...app('fetch')],
      ['tcp_recvmsg'],
      'SSL_read < fetch [read, tcp_recvmsg]',
    ],
    [
      'omits functions that start programs',
      [...app('main'), ...libc('__libc_start_main'), frame('_start', APP)],
      ['do_wait'],
      'main [do_wait]',
    ],
    [
      'uses the remaining frames without application frames',
      libc('clock_nanosleep'),
      ['do_nanosleep'],
      '[clock_nanosleep, do_nanosleep]',
    ],
    [
      'has file and offset of a frame without a name',
      [frame(null, APP), frame(null, null)],
      [],
      'app+0x10 < 0x7f00',
    ],
    [
      'has no parameters',
      [frame('ns::Pool<int, char>::take(std::string const&, int) const', APP)],
      [],
      'ns::Pool<int, char>::take',
    ],
    [
      'keeps an anonymous namespace',
      [frame('(anonymous namespace)::take(int)', APP)],
      [],
      '(anonymous namespace)::take',
    ],
    ['cuts names that are too long', [frame('x'.repeat(60), APP)], [], `${'x'.repeat(45)}...`],
    ['is empty without stacks', [], [], ''],
  ])('%s', (_, user, kernel, expected) => {
    expect(chain(user, kernel)).toBe(expected);
  });

  test('is that of its reason if stacks of this reason say nothing', () => {
    expect(chain(app('main'), ['schedule'], 'preempted')).toBe('no CPU');
  });
});

describe('groups', () => {
  const frames = [...app('a', 'b', 'a'), ...libc('read', 'write'), frame('do_wait', '[kernel]')];
  const { groupOf, leafOf } = callChains(frames, { preempted: 'no CPU' });
  const group = (user: number[], kernel: number[] = [5], reason = 'lock') =>
    groupOf({ reason, user, kernel });

  test('do not depend on addresses', () => {
    expect(group([3, 0, 1])).toBe(group([3, 2, 1]));
  });

  test('differ by function, order, library, kernel function and reason', () => {
    const all = [
      group([3, 0, 1]),
      group([3, 1, 0]),
      group([4, 0, 1]),
      group([0, 1]),
      group([3, 0]),
      group([3, 0, 1], []),
    ];
    expect(new Set([...all, group([3, 0, 1], [5], 'disk')]).size).toBe(7);
  });

  test('are one if the reason has its own text', () => {
    expect(group([3, 0, 1], [5], 'preempted')).toBe(group([4, 1], [], 'preempted'));
    expect(group([4, 1], [], 'preempted')).not.toBe(group([4, 1], []));
  });

  test('have one number per innermost function of the application', () => {
    const leaf = (user: number[], reason = 'lock') => leafOf({ reason, user, kernel: [5] });
    expect(leaf([3, 0, 1])).toBe(leaf([4, 2]));
    expect(new Set([leaf([3, 0]), leaf([3, 1]), leaf([3]), leaf([3, 0], 'disk')]).size).toBe(4);
    expect(leaf([3, 0], 'preempted')).toBe(leaf([1], 'preempted'));
  });
});

test.each([
  ['net/http.(*conn).serve', 'net/http.(*conn).serve'],
  ['std::function<void (int)>::operator()(int) const', 'std::function<void (int)>::operator()'],
  ['A::operator()', 'A::operator()'],
  ['main::{lambda(int)#1}::operator()(int) const', 'main::{lambda(int)#1}::operator()'],
  ['<Box<dyn FnOnce(A)> as FnOnce>::call', '<Box<dyn FnOnce(A)> as FnOnce>::call'],
  ['decltype(auto) x(int) [clone .part.0]', 'decltype(auto) x'],
  ['f(void (*)(int))', 'f'],
  ['operator<<(std::ostream&, A)', 'operator<<'],
  ['(x)', '(x)'],
  [')', ')'],
])('%s is %s', (symbol, expected) => {
  expect(chain([frame(symbol, APP)], [])).toBe(expected);
});
