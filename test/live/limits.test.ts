import { readdirSync, readFileSync, statSync } from 'node:fs';
import { totalmem } from 'node:os';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { composeMaps } from '../../bt/compose.ts';
import { dialectFor } from '../../bt/dialect.ts';
import { kernelBytes, limitsFor, MEMORY_SHARE } from '../../bt/limits.ts';
import { chooseProfilers, parseWanted } from '../../bt/profilers/choose.ts';
import { PROFILERS } from '../../bt/profilers/profiler-registry.ts';
import type { Profile } from '../../metrics/schema.ts';
import { untilPrints } from '../fake/processes.ts';
import { BTPROF, bpftraceThat, btprof, profile, temporaryFile, valid, workload } from './btprof.ts';

const dialect = dialectFor((await execa('bpftrace', ['--version'])).stdout);

/** Profiles a run with fewer map entries than it needs. */
async function profileWithFewEntries(
  entries: number,
  command: readonly string[],
  more: readonly string[] = [],
): Promise<Profile> {
  const file = temporaryFile('p.json');
  const args = ['run', '--json', '-o', file, '--map-entries', String(entries), ...more, '--', ...command];
  const { status, stderr } = await btprof(args);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return valid<Profile>(readFileSync(file, 'utf8'));
}

/** Names of the maps that the warnings report as full. */
function fullMaps({ quality }: Profile): string[] {
  return quality.warnings.flatMap((text) => /^the BPF map (@\w+) was full \(/.exec(text)?.[1] ?? []).sort();
}

describe.concurrent('a full BPF map is reported with the option that raises its limit', () => {
  test.each([
    ['@gen, by 37 children alive at once', 16, [37, 0], 'syscalls', ['@calls', '@gen']],
    ['@calls, by calls of 37 children', 64, [37, 0], 'syscalls', ['@calls']],
    ['@off, by 101 threads blocked at once', 64, [0, 101], 'offcpu', ['@extremes', '@off', '@waits']],
  ])('%s', async (_, entries, crowd, profilers, expected) => {
    // Without --no-stacks, the number of user stacks would depend on leftover words in a library without frame pointers.
    const more = ['-p', profilers, ...(profilers === 'offcpu' ? ['--no-stacks'] : [])];
    const result = await profileWithFewEntries(entries, [workload('crowd'), ...crowd.map(String)], more);
    expect(fullMaps(result)).toEqual(expected);
    expect(result.quality.map_full).toBe(expected.length);
    expect(result.quality.warnings.join('\n')).toContain(`use --map-entries ${4 * entries}`);
  });

  test.runIf(dialect.stackStore === 'inline')('@user_stacks, by 1,009 stacks', async () => {
    const result = await profileWithFewEntries(256, [workload('many-stacks')], ['-p', 'offcpu']);
    expect(fullMaps(result)).toEqual(['@user_stacks', '@waits']);
    expect(result.quality.warnings).toContainEqual(
      'the BPF map @user_stacks was full (256 entries), so later events were counted without their stacks; use --map-entries 1024',
    );
  });

  test.runIf(dialect.stackStore === 'inline')('@user_stacks, by short and long stacks together', async () => {
    const stacks = [8, 24].map((levels) => `'${workload('many-stacks')}' 150 ${levels}`);
    const result = await profileWithFewEntries(256, ['sh', '-c', stacks.join('; ')], ['-p', 'offcpu']);
    expect(fullMaps(result)).toEqual(['@user_stacks', '@waits']);
  });

  test('threads that do not fit into @off are counted, and their time is unaccounted', async () => {
    const options = ['-p', 'offcpu', '--no-stacks'];
    const { metadata, account } = await profileWithFewEntries(64, [workload('crowd'), '0', '101'], options);
    expect(metadata.threads).toBe(102);
    expect(account?.threads).toBe(102);
    expect(account?.unaccounted_ns).toBeGreaterThan(0.2 * (account?.thread_time_ns ?? Infinity));
  });

  test('the summary reports full maps too', async () => {
    const { stderr } = await btprof(['run', '--map-entries', '16', workload('crowd'), '37', '0']);
    expect(stderr).toMatch(/Quality: .*full/);
  });

  test('with that option no map is full, and every child is counted', async () => {
    const { metadata, quality, ebpf } = await profile(['run', workload('crowd'), '37', '101']);
    expect(quality.map_full).toBe(0);
    expect(metadata).toMatchObject({ processes: 38, threads: 38 + 101 });
    expect(ebpf.syscalls?.by_syscall.getppid).toEqual({ count: 111 });
  });
});

test('more entries than fit into memory are refused at once', async () => {
  const { status, stderr } = await btprof(['run', '--map-entries', '67108864', 'true']);
  expect(status).toBe(125);
  expect(stderr).toMatch(
    /67108864 entries need \d+\.\d GB of memory, and this host has .*\nWithout --map-entries, they have/,
  );
});

describe.concurrent('a flood of failing updates', () => {
  const PING_PONG = ['20011'];

  test('does not cause a flood of lines', async () => {
    const kept = temporaryFile('lines');
    const tee = bpftraceThat(`bpftrace "$@" | tee -a '${kept}'`);
    await profileWithFewEntries(4, [workload('ping-pong'), ...PING_PONG], ['--bpftrace', tee]);
    expect(statSync(kept).size).toBeLessThan(20_000);
  });

  test('is counted and reported briefly, even if bpftrace writes a line for each update', async () => {
    const loud = bpftraceThat(
      `for a do shift; [ "$a" = --no-warnings ] || set -- "$@" "$a"; done; exec bpftrace "$@"`,
    );
    const { quality } = await profileWithFewEntries(
      4,
      [workload('ping-pong'), ...PING_PONG],
      ['--bpftrace', loud],
    );
    expect(quality.map_full).toBeGreaterThan(0);
    expect(quality.dropped_lines).toBe(0);
    expect(quality.warnings.length).toBeLessThan(12);
    // Versions before 0.23 do not report failures.
    expect(quality.kernel_errors > 1000).toBe(/^0\.(2[3-9])/.test(dialect.version));
  });
});

describe.concurrent('settings take effect', () => {
  test('maps have the planned sizes and use no more memory than calculated', async () => {
    const { maps: inKernel, limits } = await mapsWhileAttached([]);
    const plan = {
      profilers: chooseProfilers(parseWanted('offcpu,syscalls'), PROFILERS),
      stacks: true,
      stackDepth: 127,
      children: true,
    };
    const follow = { kind: 'named', by: 1, children: true } as const;
    const { stackStore, statsSlots } = dialect;
    const maps = composeMaps(plan, { dialect, arch: 'x86_64', btf: true, follow, self: 1 });
    const sizing = {
      maps,
      stackStore,
      statsSlots,
      stackDepth: 127,
      memoryBytes: totalmem(),
      threads: 1,
      cpus: limits.cpus,
    };
    expect(limits).toEqual(limitsFor(sizing));
    const taken = inKernel.reduce((sum, map) => sum + map.memlock, 0);
    expect(taken).toBeLessThanOrEqual(kernelBytes(sizing, limits));
    expect(taken).toBeGreaterThan(0.5 * kernelBytes(sizing, limits));
    expect(taken).toBeLessThan(MEMORY_SHARE * totalmem());
  });

  test('--map-entries sets the number of entries of each map', async () => {
    const { maps } = await mapsWhileAttached(['--map-entries', '1024']);
    const hashes = maps.filter((map) => HASHES.includes(map.type) && map.entries > 1);
    expect(hashes.length).toBeGreaterThanOrEqual(7);
    expect(new Set(hashes.map((map) => map.entries))).toEqual(new Set([1024]));
  });

  test('the event buffer has the planned size', async () => {
    const { maps, buffers, limits } = await mapsWhileAttached([]);
    const ring = maps.find((map) => map.type === RINGBUF)?.entries;
    expect(ring ?? buffers).toBe(limits.bufferPages * 4096);
  });

  test('bpftrace limits strings and probes', async () => {
    const settings = { mapEntries: 4096, bufferPages: 64, cpus: 2 };
    const env = dialect.environment(settings);
    const program = 'BEGIN { printf("<%s>", str($1)); exit(); }';
    const said = await execa('bpftrace', ['--no-warnings', '-e', program, 'x'.repeat(200)], {
      env,
      reject: false,
    });
    const long = (env.BPFTRACE_MAX_STRLEN ?? env.BPFTRACE_STRLEN) ? /<x{61,63}(\.\.)?>/ : /<x{200}>/;
    expect(said.stdout).toMatch(long);
    const three = 'BEGIN { exit(); } interval:s:1 { } interval:s:2 { }';
    const refused = await execa('bpftrace', ['-e', three], {
      env: { ...env, BPFTRACE_MAX_PROBES: '2' },
      reject: false,
    });
    expect(refused.stderr).toMatch(/BPFTRACE_MAX_PROBES/);
    expect((await execa('bpftrace', ['-e', three], { env, reject: false })).exitCode).toBe(0);
  });
});

/** Numbers of enum bpf_map_type: hash and per-CPU hash; ring buffer. */
const HASHES = [1, 5];
const RINGBUF = 27;

interface KernelMapInfo {
  readonly type: number;
  readonly entries: number;
  readonly memlock: number;
}

/** Returns the maps of a running bpftrace as the kernel reports them, and the sizes that btprof chose. */
async function mapsWhileAttached(args: readonly string[]) {
  const sleeper = execa('sleep', ['30'], { reject: false });
  const running = execa(BTPROF, ['attach', '--debug', ...args, String(sleeper.pid)], { reject: false });
  const text = await untilPrints(running.stderr, 'Ctrl-C to stop');
  const { stdout } = await execa('pgrep', ['-x', '-P', String(running.pid), 'bpftrace']);
  const found = { maps: mapsOf(Number(stdout)), buffers: perfBuffers(Number(stdout)) };
  running.kill('SIGINT');
  sleeper.kill();
  await running;
  return { ...found, limits: JSON.parse(/limits: (\{.*\})/.exec(text)?.[1] ?? 'null') };
}

function mapsOf(pid: number): KernelMapInfo[] {
  const infos = readdirSync(`/proc/${pid}/fdinfo`).map((fd) =>
    readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'),
  );
  const number = (info: string, name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(info)?.[1]);
  const maps = infos.filter((info) => info.includes('map_type:'));
  const byId = new Map(maps.map((info) => [number(info, 'map_id'), info]));
  return [...byId.values()].map((info) => ({
    type: number(info, 'map_type'),
    entries: number(info, 'max_entries'),
    memlock: number(info, 'memlock'),
  }));
}

/** Bytes of the perf buffers that a process has mapped, without the extra header page of each. */
function perfBuffers(pid: number): number {
  const rows = readFileSync(`/proc/${pid}/maps`, 'utf8').matchAll(
    /^(\w+)-(\w+) .*anon_inode:\[perf_event\]/gm,
  );
  const sizes = [...rows].map(
    (row) => Number.parseInt(row[2] ?? '', 16) - Number.parseInt(row[1] ?? '', 16) - 4096,
  );
  return sizes.reduce((a, b) => a + b, 0);
}
