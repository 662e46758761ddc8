import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { newProcessState } from '../../bt/driver/process-state.ts';
import { readKallsyms } from '../../bt/symbols/kallsyms.ts';
import { newObjectFiles } from '../../bt/symbols/object-files.ts';
import { newResolver } from '../../bt/symbols/resolver.ts';
import { symbolsSchema } from '../../metrics/capture-schema.ts';
import {
  addToTable,
  type FileAddress,
  fileAddressKey,
  noSymbols,
  type ResolvedSymbols,
  type SymbolRequests,
} from '../../metrics/symbols.ts';
import { PLAN } from '../unit/bt/programs.ts';
import { NOTHING } from '../unit/bt/symbols/asker.ts';
import {
  fileOffsets,
  functionsOf,
  newWorkshop,
  realFile,
  watchTools,
} from '../unit/bt/symbols/real-programs.ts';

/** `shop::inner` is inlined into `shop::outer`. Both have mangled names. */
const SOURCE = `
namespace shop {
  volatile int sink;
  inline __attribute__((always_inline)) int inner(int n) { sink = n; return sink * 3; }
  __attribute__((noinline)) int outer(int n) { return inner(n) + 1; }
}
extern "C" __attribute__((noinline)) int plain(int n) { return n * 5 + 1; }
int main(int argc, char **argv) { return shop::outer(argc) + plain(argc); }
`;

const COMPILED = { pid: 7, generation: 2, address: 0x7f0000001000n };
const PERF_MAPS = {
  find: (pid: number, generation: number, address: bigint) =>
    pid === 7 && generation === 2 && address === COMPILED.address
      ? { symbol: 'JS:~run', module: '/tmp/perf-7.map', offset: 16 }
      : undefined,
  problems: () => ['/tmp/perf-7.map has 3 lines that could not be read'],
};

describe.skipIf(process.platform !== 'linux')('a resolver', () => {
  const workshop = newWorkshop('resolver');
  const { in_, run, close } = workshop;
  // llvm-symbolizer takes much longer to start.
  const tools = watchTools(workshop, ['addr2line', 'c++filt']);
  const files = newObjectFiles();
  const readKernel = vi.fn(readKallsyms);
  beforeEach(() => {
    vi.stubEnv('PATH', tools.path);
    tools.forget();
    readKernel.mockClear();
  });
  afterEach(() => void vi.unstubAllEnvs());
  afterAll(() => {
    files.close();
    close();
  });
  const build = (name: string, ...flags: string[]) => {
    run('sh', '-c', `cat > ${name}.cc <<'END'\n${SOURCE}\nEND`);
    run('g++', '-g', '-O2', '-fomit-frame-pointer', '-Wl,--build-id', ...flags, '-o', name, `${name}.cc`);
    files.see(realFile(in_(name)).file, { pid: process.pid, path: in_(name) });
    return in_(name);
  };
  const placesIn = (path: string) => {
    const offsetOf = fileOffsets(path);
    const { file } = realFile(path);
    const mapping = { start: 0n, end: 0n, fileOffset: 0n, file, path };
    const starts = functionsOf(path).map(({ name, start }) => [
      name,
      { mapping, fileOffset: offsetOf(start) },
    ]);
    return Object.fromEntries(starts) as Record<'_ZN4shop5outerEi' | 'plain' | 'main', FileAddress>;
  };
  const newOne = () => newResolver(files, PERF_MAPS, undefined, readKernel);
  const paths = [build('one'), build('other', '-no-pie')] as const;
  const [one, other] = [placesIn(paths[0]), placesIn(paths[1])];
  const outer = one._ZN4shop5outerEi;
  const isRoot = process.geteuid?.() === 0;
  const [, kernelAddress = ''] =
    /^([0-9a-f]+) T do_exit$/m.exec(readFileSync('/proc/kallsyms', 'latin1')) ?? [];
  const buildIds = paths.map((path) => /Build ID: (\w+)/.exec(run('readelf', '-n', path))?.[1]);
  const everything = (): SymbolRequests => ({
    kernel: [],
    user: [one.plain, outer, other.main],
    leaves: [one.plain, other.main],
    compiled: [COMPILED],
    lines: true,
  });

  test('returns all answers in one table, which a capture can store', async () => {
    const kernel = isRoot ? [kernelAddress] : [];
    const table = await newOne().resolve({ ...everything(), kernel });
    if (isRoot) expect(Object.values(table.kernel)).toEqual([{ symbol: 'do_exit', offset: 0 }]);
    expect(table.user).toEqual({
      [fileAddressKey(one.plain)]: { symbol: 'plain', offset: 0 },
      [fileAddressKey(outer)]: { symbol: '_ZN4shop5outerEi', offset: 0 },
      [fileAddressKey(other.main)]: { symbol: 'main', offset: 0 },
    });
    expect(table.jit).toEqual({ '7:2 139637976731648': PERF_MAPS.find(7, 2, COMPILED.address) });
    expect(table.lines?.[fileAddressKey(outer)]?.map((line) => line.function)).toEqual([
      '_ZN4shop5innerEi',
      '_ZN4shop5outerEi',
    ]);
    expect(table.demangled).toEqual({
      _ZN4shop5innerEi: 'shop::inner(int)',
      _ZN4shop5outerEi: 'shop::outer(int)',
    });
    expect(Object.values(table.buildIds)).toEqual(buildIds);
    expect(table.problems).toEqual(PERF_MAPS.problems());
    expect(symbolsSchema.parse(JSON.parse(JSON.stringify(table)))).toEqual(table);
  });

  test('does not answer what was not requested', async () => {
    const { resolve } = newOne();
    const empty = { ...noSymbols(), problems: PERF_MAPS.problems() };
    expect(await resolve(NOTHING)).toEqual(empty);
    expect(readKernel).not.toHaveBeenCalled();
    expect(tools.started()).toEqual([]);
    const { lines, frameless, user } = await resolve({ ...NOTHING, user: [one.plain] });
    expect([lines, frameless]).toEqual([undefined, {}]);
    expect(Object.keys(user)).toEqual([fileAddressKey(one.plain)]);
  });

  test.skipIf(process.arch !== 'x64')(
    'reports only for leaves whether they set up a frame pointer',
    async () => {
      const { frameless } = await newOne().resolve(everything());
      expect(frameless).toEqual({ [fileAddressKey(one.plain)]: true, [fileAddressKey(other.main)]: true });
    },
  );

  test('starts one process per object for lines, and one for all mangled names', async () => {
    await newOne().resolve(everything());
    expect(tools.started().sort()).toEqual(['addr2line', 'addr2line', 'c++filt']);
  });

  test('starts no process for repeated requests', async () => {
    const { resolve } = newOne();
    const first = await resolve(everything());
    tools.forget();
    expect(await resolve(everything())).toEqual(first);
    expect(tools.started()).toEqual([]);
  });

  const batches: Partial<SymbolRequests>[] = [
    { user: [one.main, outer], lines: true },
    { user: [outer], leaves: [outer] },
    { user: [other._ZN4shop5outerEi, one.plain], leaves: [one.plain], lines: true },
    { compiled: [COMPILED], user: [other.plain, { ...one.plain, fileOffset: 2 ** 30 }] },
  ];
  const requests = batches.map((batch) => ({ ...NOTHING, ...batch }));

  let answers: Promise<ResolvedSymbols[]> | undefined;
  /** The answer of a resolver whose first request this is. */
  const alone = () => {
    answers ??= Promise.all(requests.map((request) => newOne().resolve(request)));
    return answers;
  };

  test.each([
    ['forwards', [0, 1, 2, 3]],
    ['backwards', [3, 2, 1, 0]],
    ['twice', [1, 3, 0, 2, 0, 3, 2, 1]],
  ])('gives the same answers in any order of calls: %s', async (_, order) => {
    const { resolve } = newOne();
    for (const i of order) expect(await resolve(requests[i] as SymbolRequests)).toEqual((await alone())[i]);
  });

  test('gives the same answers to concurrent calls', async () => {
    const { resolve } = newOne();
    expect(await Promise.all(requests.map(resolve))).toEqual(await alone());
  });

  test('gives the same answers in several batches as in one', async () => {
    const { resolve } = newOne();
    const table = noSymbols();
    for (const request of requests) addToTable(table, await resolve({ ...request, lines: true }));
    const whole = {
      ...NOTHING,
      user: [...new Set(requests.flatMap(({ user }) => user))],
      leaves: requests.flatMap(({ leaves }) => leaves),
      compiled: [COMPILED],
      lines: true,
    };
    expect(table).toEqual(await newOne().resolve(whole));
  });

  test('reads kernel symbols once, and in advance on request', async () => {
    const { resolve, prefetch } = newOne();
    prefetch();
    expect(readKernel).toHaveBeenCalledOnce();
    for (let i = 0; i < 2; i++) await resolve({ ...NOTHING, kernel: ['ffffffff81000000'] });
    expect(readKernel).toHaveBeenCalledOnce();
  });

  test('does not read kernel symbols if no stacks are collected', async () => {
    const { resolver } = newProcessState({ ...PLAN, stacks: false });
    resolver.prefetch();
    const kernel = [isRoot ? kernelAddress : 'ffffffff81000000'];
    expect((await resolver.resolve({ ...NOTHING, kernel })).kernel).toEqual({});
  });
});
