import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { PROFILERS } from '../../../../../bt/profilers/profiler-registry.ts';
import { diffCommand } from '../../../../../cli/commands/diff/diff-command.ts';
import type { DiffOptions } from '../../../../../cli/commands/diff/diff-options.ts';
import type { DiffLook } from '../../../../../cli/formats/format.ts';
import { diffView } from '../../../../../cli/formats/summary/diff-page.ts';
import { stderr, stdout } from '../../../../../cli/output.ts';
import { UsageError } from '../../../../../metrics/errors.ts';
import { diffOf } from '../../../../../metrics/profile-diff.ts';
import type { Profile } from '../../../../../metrics/schema.ts';
import type { Sides } from '../../../../../metrics/sides.ts';
import { formatNs } from '../../../../../metrics/units.ts';
import { recorded, sideOf } from '../../../metrics/recorded-profiles.ts';
import { expectValid } from '../../../published-schema.ts';

const OLD = recorded('0.17', 'sleepers');
const NEW = recorded('0.27', 'sleepers');
const DEMO = recorded('0.23', 'demo');
const LOOK: DiffLook = { columns: 100, colours: false, ascii: false, verbose: false };

let directory = '';
let [out, err] = ['', ''];
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'btprof-diff-'));
  for (const [name, profile] of Object.entries({ old: OLD, new: NEW, demo: DEMO }))
    writeFileSync(join(directory, name), JSON.stringify(profile));
  vi.spyOn(stdout, 'write').mockImplementation((text) => {
    out += text;
    return true;
  });
  vi.spyOn(stderr, 'write').mockImplementation((text) => {
    err += text;
    return true;
  });
});
beforeEach(() => {
  [out, err] = ['', ''];
});
afterAll(() => {
  vi.restoreAllMocks();
  rmSync(directory, { recursive: true });
});

function diff(names: string, options: Partial<DiffOptions> = {}): Promise<number> {
  const files = names.split(' ').map((name) => (name === '-' ? name : join(directory, name)));
  return diffCommand(files, { format: 'summary', ...options });
}

describe('exit status', () => {
  test.each([
    [undefined, 0],
    [['sleep>+50%'], 0],
    [['sleep>+50%', 'lock>1ms'], 1],
    [['syscalls.total<+100'], 1],
  ])('for the gates %j is %d', async (failIf, status) => {
    expect(await diff('old new', failIf ? { failIf } : {})).toBe(status);
  });

  test.each<[string, Partial<DiffOptions>, RegExp]>([
    ['old', {}, /needs two files, not 1/],
    ['old new old', {}, /needs two files, not 3/],
    ['old new', { runs: 2 }, /none of the 2 files is left for AFTER/],
    ['- -', {}, /only once/],
    ['old new', { failIf: ['lock'] }, /is not METRIC/],
    ['old new', { failIf: ['lock.x>1'] }, /which no result has/],
  ])('for %s with %j is that of a usage error, and nothing is printed', async (names, options, message) => {
    const error = await diff(names, options).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(UsageError);
    expect(error).toMatchObject({ status: 2, message: expect.stringMatching(message) });
    expect(out).toBe('');
  });
});

/** Waits in the function that sleeps, for any reason: a thread may be preempted on its way to sleep. */
function timeInSleep({ ebpf: { offcpu } }: Profile): number {
  const sleeps = offcpu?.stacks.filter(({ kernel }) =>
    kernel.some((index) => offcpu.frames[index]?.symbol === 'do_nanosleep'),
  );
  return (sleeps ?? []).reduce((sum, { time_ns }) => sum + time_ns, 0);
}

describe('formats', () => {
  test('json is one document that matches the published schema and includes the gates', async () => {
    expect(await diff('old new', { format: 'json', failIf: ['lock>1ms', 'disk>+1%'] })).toBe(1);
    expectValid(JSON.parse(out));
    expect(JSON.parse(out).gates).toMatchObject([
      { gate: 'lock>1ms', crossed: true },
      { gate: 'disk>+1%', crossed: false, relative: null },
    ]);
    expect(err.split('\n')).toHaveLength(3);
  });

  test('json accepts several runs', async () => {
    await diff('old new old demo demo', { runs: 3, format: 'json' });
    expectValid(JSON.parse(out));
    expect(JSON.parse(out)).toMatchObject({ kind: 'diff', before: [{}, {}, {}], after: [{}, {}] });
  });

  test('folded has one line per stack, with ns before and after', async () => {
    await diff('old new', { format: 'folded' });
    const lines = out.split('\n').slice(0, -1);
    expect(lines.filter((line) => !/^\S.* \d+ \d+$/.test(line))).toEqual([]);
    const slept = [OLD, NEW].map(timeInSleep);
    expect(lines.find((line) => line.includes('do_nanosleep_[k]'))).toMatch(
      new RegExp(` ${slept.join(' ')}$`),
    );
    const total = (column: number) =>
      lines.reduce((sum, line) => sum + Number(line.split(' ').at(column)), 0);
    expect(total(-2)).toBe(OLD.ebpf.offcpu?.total_time_ns);
    expect(total(-1)).toBe(NEW.ebpf.offcpu?.total_time_ns);
  });

  test('-o writes nothing to stdout, but gates still go to stderr', async () => {
    const output = join(directory, 'out.txt');
    await diff('old new', { output, failIf: ['lock>1ms'] });
    expect(out).toBe('');
    expect(readFileSync(output, 'utf8')).toMatch(/^btprof diff: /);
    const [before, after] = [OLD, NEW].map((profile) => profile.ebpf.offcpu?.by_reason.lock?.time_ns ?? 0);
    const [from, to, , relative] = timeCells(before as number, after as number);
    expect(err).toBe(`gate lock>1ms: crossed: ${from} -> ${to} (${relative})\n`);
  });
});

/** Time before and after, the change, and the change in per cent, as shown on the page. */
function timeCells(before: number, after: number): string[] {
  const [change, percent] = [after - before, ((after / before - 1) * 100).toFixed(1)];
  const sign = change < 0 ? '-' : '+';
  return [
    formatNs(before),
    formatNs(after),
    `${sign}${formatNs(Math.abs(change))}`,
    Number(percent) === 0 ? '0.0 %' : `${change < 0 ? '' : '+'}${percent} %`,
  ];
}

function pageOf(sides: Sides, look: Partial<DiffLook> = {}): string {
  return diffView(diffOf(sides, PROFILERS), PROFILERS, { ...LOOK, ...look });
}

describe('the page', () => {
  const page = (before: Profile, after: Profile, look: Partial<DiffLook> = {}) =>
    pageOf({ before: [sideOf(before)], after: [sideOf(after)] }, look);

  test('explains the rows of its stacks for the profilers that all results have', () => {
    const [sampled, waited] = [recorded('0.27', 'oncpu'), recorded('0.23', 'oncpu')];
    expect(page(waited, sampled)).toMatch(/ waits and samples by functions \[library, kernel\]/);
    expect(page(OLD, sampled)).toMatch(/ waits by functions \[library, kernel\]/);
  });

  test.each([80, 100, 140])('with %d columns has no longer lines', (columns) => {
    const several = { before: [sideOf(OLD), sideOf(NEW)], after: [sideOf(DEMO), sideOf(DEMO)] };
    const pages = [page(OLD, DEMO, { columns }), ...(columns >= 100 ? [pageOf(several, { columns })] : [])];
    for (const line of pages.join('').split('\n')) expect(line.length).toBeLessThanOrEqual(columns);
  });

  test('has a row for each change, and marks changes that may be chance', () => {
    const text = page(OLD, NEW);
    const rows = text.split('\n').map((line) => line.trim().split(/ {2,}/));
    const [wall, wallAfter] = [OLD.metadata.wall_time_ns, NEW.metadata.wall_time_ns];
    expect(rows).toContainEqual([...timeCells(wall, wallAfter), '?', 'wall time']);
    const [was, is] = [OLD, NEW].map(
      ({ ebpf }) => ebpf.offcpu?.by_reason.preempted ?? { time_ns: 0, count: 0 },
    );
    if (!was || !is) throw new Error('no thread was preempted');
    const counts = was.count === is.count ? `${is.count}` : `${was.count} -> ${is.count}`;
    expect(rows).toContainEqual([...timeCells(was.time_ns, is.time_ns), '~', counts, 'preempted']);
    expect(text).toContain('Note: another version of bpftrace: 0.17.0 before, 0.27.1 after');
  });

  test('marks what is new and what is gone', () => {
    expect(page(OLD, DEMO)).toMatch(/^ *0 +\S+ s +\+\S+ s +new +0 -> 13 {2}node$/m);
    expect(page(DEMO, OLD)).toMatch(/^ *\S+ s +0 +-\S+ s +gone +13 -> 0 {2}node$/m);
  });

  test('of a result compared with itself shows only totals, and all rows with -v', () => {
    expect(page(OLD, OLD)).not.toMatch(/waits by reason|clock_nanosleep/);
    expect(page(OLD, OLD, { verbose: true })).toMatch(/69 +69 +0 += {2}clock_nanosleep/);
  });

  test('dims changes that may be chance', () => {
    const [time] = timeCells(OLD.ebpf.offcpu?.by_reason.preempted?.time_ns ?? 0, 0);
    expect(page(OLD, NEW, { colours: true })).toMatch(new RegExp(`^\u001b\\[2m +${time} `, 'm'));
  });

  test('in ASCII has only ASCII characters', () => {
    expect(page(OLD, DEMO, { ascii: true })).toMatch(/^[\x20-\x7e\n]*$/);
  });

  test('replaces control characters in names', () => {
    const hostile = structuredClone(NEW);
    const bad = '\u001b[2J\u202e\n';
    hostile.metadata.cmd = [bad];
    hostile.metadata.host.hostname = bad;
    for (const thread of Object.values(hostile.ebpf.offcpu?.thread_stats ?? {})) thread.comm = bad;
    for (const frame of hostile.ebpf.offcpu?.frames ?? []) frame.symbol = bad;
    if (hostile.ebpf.syscalls) hostile.ebpf.syscalls.by_syscall = { [bad]: { count: 7 } };
    const text = page(OLD, hostile, { verbose: true });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for.
    expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\u202e]/);
    expect(text).toContain('?[2J?');
  });
});
