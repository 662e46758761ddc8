import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { speedscopeView } from '../../cli/formats/speedscope/speedscope-file.ts';
import type { Profile } from '../../metrics/schema.ts';
import { launchChromium } from '../../scripts/chromium.ts';
import { constructedProfile } from '../unit/cli/formats/constructed-profile.ts';
import { allStacks } from '../unit/cli/formats/result-of.ts';
import { recorded } from '../unit/metrics/recorded-profiles.ts';
import { type Evented, openInSpeedscope, type Sampled, type SpeedscopeFile } from './speedscope-app.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());

function viewOf(profile: Profile): string {
  return speedscopeView(profile, allStacks(profile));
}

type Sums = Map<string, number>;

/** Name, end and time of each stack, by its frame names, for every profile in a file. */
function profilesIn<T extends { readonly name: string; readonly endValue: number }>(
  { shared, profiles }: SpeedscopeFile<T>,
  eachStack: (profile: T, add: (frames: readonly number[], ns: number) => void) => void,
) {
  return profiles.map((profile) => {
    const sums: Sums = new Map();
    eachStack(profile, (frames, ns) => {
      const key = JSON.stringify(frames.map((index) => shared.frames[index]?.name));
      if (ns > 0) sums.set(key, (sums.get(key) ?? 0) + ns);
    });
    return { name: profile.name, end: profile.endValue, sums };
  });
}

function eachSample({ samples, weights }: Sampled, add: (frames: readonly number[], ns: number) => void) {
  samples.forEach((frames, i) => {
    add(frames, weights[i] ?? 0);
  });
}

/** Between two events, the stack consists of all open frames. */
function eachState({ events }: Evented, add: (frames: readonly number[], ns: number) => void) {
  const open: number[] = [];
  let since = 0;
  for (const { type, at, frame } of events) {
    add(open, at - since);
    since = at;
    if (type === 'O') open.push(frame);
    else expect(open.pop()).toBe(frame);
  }
}

const PROFILES: [string, () => Profile][] = [
  ...['demo', 'sleepers', 'sleepers-no-stacks', 'deadlock', 'oncpu'].map((name): [string, () => Profile] => [
    `the recording ${name}`,
    () => recorded('0.23', name),
  ]),
  ['names of every kind', constructedProfile],
];

describe('speedscope', () => {
  it.each(PROFILES)(
    'reads %s without an error and has the same profiles, stacks and times',
    async (_, profile) => {
      const file = viewOf(profile());
      const { page, complaints, exported, close } = await openInSpeedscope(browser, file, 'time-ordered');
      expect(await page.locator('canvas').count()).toBeGreaterThan(0);
      expect(profilesIn(await exported(), eachState)).toEqual(profilesIn(JSON.parse(file), eachSample));
      expect(complaints).toEqual([]);
      await close();
    },
  );

  it('shows the command, the thread, and the times in ns', async () => {
    const profile = recorded('0.23', 'oncpu');
    const file = viewOf(profile);
    const [all, first] = (JSON.parse(file) as SpeedscopeFile<Sampled>).profiles;
    const { page, complaints, close } = await openInSpeedscope(browser, file, 'sandwich');
    expect(await page.title()).toBe('/tmp/btprof-workloads/sleepers - speedscope');
    expect(await page.getByText('all threads (1/5)').count()).toBe(1);
    const row = page.locator('tr', { hasText: '[sleep]' });
    const slept = profile.ebpf.offcpu?.by_reason.sleep?.time_ns ?? Number.NaN;
    const time = `${(slept / 1e9).toFixed(2)}s (${((100 * slept) / (all?.endValue ?? 0)).toFixed(0)}%)`;
    expect((await row.innerText()).replace(/\s+/g, ' ')).toBe(`${time} ${time} [sleep]`);
    await page.keyboard.press('n');
    expect(first?.name).toMatch(/^sleepers \d+:\d+, 9\d\d\.\d ms$/);
    await page.getByText(`${first?.name} (2/5)`, { exact: true }).waitFor({ timeout: 10_000 });
    expect(complaints).toEqual([]);
    await close();
  });
});
