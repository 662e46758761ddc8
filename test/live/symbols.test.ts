import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import type { Offcpu } from '../../bt/profilers/offcpu/off-schema.ts';
import { BTPROF, profile, symbols, temporaryFile, workload } from './btprof.ts';

const FLAGS = ['-O1', '-fno-omit-frame-pointer'];
const CHAIN = ['inner', 'middle', 'outer', 'main'];

/** Compiles a program into its own directory. */
async function built(source: string, ...flags: string[]): Promise<string> {
  const file = temporaryFile('program');
  await execa(source.endsWith('.cc') ? 'g++' : 'gcc', [...FLAGS, '-o', file, source, ...flags]);
  return file;
}

/** User functions, leaf first, of the stacks that slept, with their counts. */
function sleepers(offcpu: Offcpu | undefined): { chain: (string | null)[]; count: number }[] {
  const asleep = offcpu?.stacks.filter((s) => s.state === 'S') ?? [];
  const slept = asleep.filter((s) => symbols(offcpu, s.kernel).includes('do_nanosleep'));
  return slept.map((s) => ({ chain: symbols(offcpu, s.user), count: s.count }));
}

describe.concurrent('functions are named in call order, leaf first', () => {
  test.each([
    ['a position-dependent program', () => built('fixtures/workloads/chain.c', '-no-pie'), []],
    ['a static program', () => built('fixtures/workloads/chain.c', '-static'), []],
    ['a program that has ended when its stacks are named', () => built('fixtures/workloads/chain.c'), []],
    ['a program that removes its own file', () => built('fixtures/workloads/chain.c'), ['unlink']],
  ])('in %s', async (_, build, more) => {
    const program = await build();
    const { ebpf } = await profile(['run', program, '17', '10', ...more]);
    const [first] = sleepers(ebpf.offcpu);
    expect(first?.count).toBe(17);
    expect(first?.chain.slice(0, 4)).toEqual(CHAIN);
  });

  test('in a library that is opened, used and closed', async () => {
    const library = temporaryFile('libchain.so');
    await execa('gcc', [
      ...FLAGS,
      '-shared',
      '-fPIC',
      '-DLIBRARY',
      '-o',
      library,
      'fixtures/workloads/chain.c',
    ]);
    const source = temporaryFile('user.c');
    writeFileSync(
      source,
      `#include <dlfcn.h>
       #include <time.h>
       int main(int argc, char **argv) {
         struct timespec t = {0, 10000000};
         void *library = dlopen(argv[1], RTLD_NOW);
         long (*outer)(struct timespec *) = dlsym(library, "outer");
         for (int i = 0; i < 13; i++) outer(&t);
         dlclose(library);
         return 0;
       }`,
    );
    const { ebpf } = await profile(['run', await built(source, '-ldl'), library]);
    const [first] = sleepers(ebpf.offcpu);
    expect(first?.count).toBe(13);
    expect(first?.chain.slice(0, 4)).toEqual(CHAIN);
  });

  test('in a C++ program, with readable names', async () => {
    const source = temporaryFile('waiter.cc');
    copyFileSync('fixtures/workloads/chain.c', `${dirname(source)}/chain.c`);
    writeFileSync(
      source,
      `extern "C" {
       #define LIBRARY
       #include "chain.c"
       }
       namespace shop {
         template <typename T> struct Till { __attribute__((noinline)) long wait(T n); };
         template <typename T> long Till<T>::wait(T n) { timespec t = {0, n * 1000000L}; long r = outer(&t); __asm__ volatile(""); return r; }
       }
       int main() { shop::Till<int> till; for (int i = 0; i < 11; i++) till.wait(10); return 0; }`,
    );
    const { ebpf } = await profile(['run', await built(source)]);
    const [first] = sleepers(ebpf.offcpu);
    expect(first?.count).toBe(11);
    expect(first?.chain.slice(0, 5)).toEqual([
      'inner',
      'middle',
      'outer',
      'shop::Till<int>::wait(int)',
      'main',
    ]);
  });
});

test.concurrent('programs that live for a millisecond have modules and functions too', async () => {
  const program = await built('fixtures/workloads/chain.c');
  const script = 'i=0; while [ $i -lt 101 ]; do "$0" 1 1; i=$((i+1)); done';
  const { ebpf, quality } = await profile(['run', 'sh', '-c', script, program]);
  const rows = sleepers(ebpf.offcpu).filter(({ chain }) => chain.includes('inner'));
  // Older versions of bpftrace lose about one stack in a hundred because of equal hashes; they count these.
  expect(rows.length).toBeLessThanOrEqual(101);
  expect(rows.length).toBeGreaterThanOrEqual(101 - quality.stacks_missing);
  expect(quality.stacks_missing).toBeLessThan(10);
  for (const { chain } of rows) expect(chain.slice(0, 4)).toEqual(CHAIN);
});

test.concurrent('a process with its own mounts has the names of its own program, not of the file at that path here', async () => {
  const [own, other] = await Promise.all([
    built('fixtures/workloads/chain.c'),
    built('fixtures/workloads/chain.c', '-Dinner=wrong', '-Dmiddle=wrong_too'),
  ]);
  const [dir, result] = [dirname(temporaryFile('mounted')), temporaryFile('profile.json')];
  // The first files of two tmpfs have the same inode number.
  const mounted = (words: string) =>
    `mount -t tmpfs none '${dir}' && cp "$1" '${dir}/program' && exec ${words}`;
  const inner = `unshare -m --propagation private sh -c '${mounted('"$0" 17 10').replaceAll("'", "'\\''")}' '${dir}/program' '${own}'`;
  const script = mounted(`'${BTPROF}' run -q --json -o '${result}' -- ${inner}`);
  await execa('unshare', ['-m', '--propagation', 'private', 'sh', '-c', script, 'sh', other]);
  const [first] = sleepers(JSON.parse(readFileSync(result, 'utf8')).ebpf.offcpu);
  expect(first?.count).toBe(17);
  expect(first?.chain.slice(0, 4)).toEqual(CHAIN);
});

test.concurrent('attached processes have names', async () => {
  const program = await built('fixtures/workloads/chain.c');
  const running = execa(program, ['30000', '10'], { reject: false });
  const { ebpf } = await profile(['attach', '-d', '1s', String(running.pid)]);
  running.kill();
  const whole = sleepers(ebpf.offcpu).filter(({ chain }) => chain.length > 0);
  expect(whole.length).toBeGreaterThan(0);
  for (const { chain } of whole) expect(chain.slice(0, 4)).toEqual(CHAIN);
});

test.concurrent('words that are not return addresses end a stack and are counted', async () => {
  const { ebpf, quality } = await profile(['run', workload('sleepers')]);
  const offcpu = ebpf.offcpu as Offcpu;
  const cut = offcpu.stacks.reduce((sum, stack) => sum + stack.user_cut, 0);
  expect(quality.frames_cut).toBe(cut);
  for (const stack of offcpu.stacks) {
    for (const frame of stack.user.slice(1)) expect(offcpu.frames[frame]?.module).not.toBeNull();
  }
});
