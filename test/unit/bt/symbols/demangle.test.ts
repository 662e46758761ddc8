import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { newDemangler } from '../../../../bt/symbols/demangle.ts';

const dir = realpathSync(mkdtempSync(join(tmpdir(), 'btprof-demangle-')));
chmodSync(dir, 0o755); // the tools run as nobody
afterAll(() => rmSync(dir, { recursive: true }));
afterEach(() => {
  vi.unstubAllEnvs();
});

const demangle = (names: readonly string[]) => newDemangler()(names);

/** A directory in which real tools have the given names; it is the only one in PATH. */
function onlyTools(tools: Readonly<Record<string, string>>): void {
  const folder = join(dir, `tools-${Object.keys(tools).join('-')}`);
  mkdirSync(folder);
  for (const [name, tool] of Object.entries(tools)) symlinkSync(pathOf(tool), join(folder, name));
  vi.stubEnv('PATH', folder);
}

function pathOf(tool: string): string {
  return execFileSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).trimEnd();
}

const MANGLED: [string, string, string][] = [
  ['a function of C++', '_ZN2ns1fEi', 'ns::f(int)'],
  ['a method', '_ZNK3foo3barEPKc', 'foo::bar(char const*) const'],
  ['a template', '_Z3maxIiET_S0_S0_', 'int max<int>(int, int)'],
  ['a part that a compiler split off', '_ZN2ns1fEi.cold', 'ns::f(int) [clone .cold]'],
  ['an entry of the PLT', '_ZN2ns1fEi@plt', 'ns::f(int)@plt'],
];

/** Without the hash that distinguishes builds. */
const RUST: [string, string, RegExp][] = [
  ['in legacy mangling', '_ZN4core3fmt9Formatter3pad17h0123456789abcdefE', /^core::fmt::Formatter::pad$/],
  [
    'in a type',
    '_ZN42_$LT$$RF$T$u20$as$u20$core..fmt..Debug$GT$3fmt17h0123456789abcdefE',
    /core::fmt::Debug>::fmt$/,
  ],
  ['mangled as now', '_RNvCskwGfYPst2Cb_7mycrate3foo', /^mycrate::foo$/],
  ['a closure', '_RNCNvCskwGfYPst2Cb_7mycrate3foo0B3_', /^mycrate::foo::\{closure#0\}$/],
];

describe.skipIf(process.platform !== 'linux')('mangled names', () => {
  test.each(MANGLED)('become readable: %s: %s', async (_, name, text) => {
    expect(await demangle([name])).toEqual(new Map([[name, text]]));
  });

  test.each(RUST)('of Rust become readable: %s, %s', async (_, name, text) => {
    expect((await demangle([name])).get(name)).toMatch(text);
  });

  test('can be any number', async () => {
    const names = Array.from({ length: 10_007 }, (_, i) => `_ZN2ns1f${i % 10}Ei.${i}`).map((name, i) =>
      name.replace(/1f\d/, `${`f${i}`.length}f${i}`),
    );
    const readable = await demangle(names);
    expect(readable.size).toBe(10_007);
    expect(readable.get(names[4711] as string)).toBe('ns::f4711(int) [clone .4711]');
  });

  test('are separated from others, which are left out', async () => {
    expect(await demangle(['main', '_ZN2ns1fEi', '_start', 'Z', '_init', 'memcpy@plt'])).toEqual(
      new Map([['_ZN2ns1fEi', 'ns::f(int)']]),
    );
  });

  test('do not include names that only look mangled', async () => {
    expect(await demangle(['_Zone', '_R', '_Z', '_ZN2ns1fEi'])).toEqual(
      new Map([['_ZN2ns1fEi', 'ns::f(int)']]),
    );
  });

  test.each(['_Z\n', '_ZN2ns1fEi\n_ZN2ns1gEi', '_Za\r\nb'])(
    'do not include %j, which would be more than one line',
    async (name) => {
      expect(await demangle([name, '_ZN2ns1gEi'])).toEqual(new Map([['_ZN2ns1gEi', 'ns::g(int)']]));
    },
  );

  test.each(['_Z a b', '_Z\r', '_Z\u2028', '_Zé', '_ZN2ns1fEi _ZN2ns1gEi'])(
    'never get the result of another name, whatever that contains: %j',
    async (name) => {
      const readable = await demangle([name, '_ZN2ns1gEi']);
      expect(readable.get('_ZN2ns1gEi')).toBe('ns::g(int)');
    },
  );
});

describe.skipIf(process.platform !== 'linux')('demangling', () => {
  test("uses LLVM's tool if binutils has none", async () => {
    onlyTools({ 'llvm-cxxfilt': 'c++filt' });
    expect((await demangle(['_ZN2ns1fEi'])).get('_ZN2ns1fEi')).toBe('ns::f(int)');
  });

  test('ignores a tool that prints too few names', async () => {
    onlyTools({ 'c++filt': 'true' });
    expect((await demangle(['_ZN2ns1fEi', '_ZN2ns1gEi'])).size).toBe(0);
  });

  test('ignores a tool that fails, and tries the next', async () => {
    onlyTools({ 'c++filt': 'false', 'llvm-cxxfilt': 'c++filt' });
    expect((await demangle(['_ZN2ns1fEi'])).get('_ZN2ns1fEi')).toBe('ns::f(int)');
  });

  test('returns nothing without a tool', async () => {
    onlyTools({});
    expect((await demangle(['_ZN2ns1fEi'])).size).toBe(0);
  });
});

test('starts no tool if nothing is mangled', async () => {
  vi.stubEnv('PATH', '/nonexistent');
  expect((await demangle(['main', '', 'memcpy@plt'])).size).toBe(0);
  expect((await demangle([])).size).toBe(0);
});
