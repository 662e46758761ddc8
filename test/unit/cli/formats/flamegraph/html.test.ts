import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { decodeProfile } from '../../../../../cli/formats/flamegraph/flame-profile.ts';
import type { FlameStack } from '../../../../../cli/formats/flamegraph/flame-stack.ts';
import { flamegraphView } from '../../../../../cli/formats/flamegraph/html.ts';
import { manyStacks } from '../../../../../scripts/bench/flame-stacks.ts';
import { frameOf, stackOf } from '../flame-frames.ts';
import { COLOURS, EVENTS } from './flame-profiles.ts';

const OPTIONS = {
  title: 'sleepers',
  subtitle: '1.2 s',
  notes: ['2 events were lost.'],
  colours: COLOURS,
  events: EVENTS,
};
const HOSTILE = '</script><img src=x onerror=alert(1)>"\'\n\u202e\0\ud800';

function profileIn(html: string) {
  const data = /<script id="data"[^>]*>([^<]*)<\/script>/.exec(html)?.[1] ?? '';
  return decodeProfile(gunzipSync(Buffer.from(data, 'base64')));
}

describe('flamegraphView', () => {
  it('reports that nothing waited if there is no stack', () => {
    const html = flamegraphView([], OPTIONS);
    expect(html).toContain('There is no stack to draw');
    expect(html).not.toContain('<canvas');
  });

  it('is one file that loads no others', () => {
    const html = flamegraphView([stackOf('main wait', 5)], OPTIONS);
    expect(html).not.toMatch(/\s(src|href)=|@import|url\(/);
    expect(html).toMatch(/default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+'; base-uri/);
    expect(html.match(/<script/g)).toHaveLength(2);
    expect(html.match(/<\/script/g)).toHaveLength(2);
  });

  it('contains names only as escaped text in its markup', () => {
    const stack = { ...stackOf('main', 5), comm: HOSTILE, frames: [frameOf(HOSTILE, { module: HOSTILE })] };
    const html = flamegraphView([stack], {
      ...{ title: HOSTILE, subtitle: HOSTILE, notes: [HOSTILE], colours: COLOURS, events: EVENTS },
    });
    expect(html).not.toContain('<img');
    expect(html).not.toMatch(/[\0\u202e]/);
    expect(html.match(/<\/script/g)).toHaveLength(2);
    expect(html).toContain('&#60;/script&#62;&#60;img src=x onerror=alert(1)&#62;&#34;&#39;');
  });

  it('is smaller than 1 MB with 10,000 stacks, and exact to the ns', { timeout: 60_000 }, () => {
    const stacks = manyStacks(10_000);
    const html = flamegraphView(stacks, OPTIONS);
    expect(Buffer.byteLength(html)).toBeLessThan(1e6);
    const { stacks: read, frames } = profileIn(html);
    expect(read.length).toBe(10_000);
    expect(read.timeNs.reduce((a, b) => a + b, 0)).toBe(stacks.reduce((sum, { timeNs }) => sum + timeNs, 0));
    const names = new Set(stacks.flatMap((stack) => stack.frames.map(({ frame }) => frame.symbol)));
    expect(frames.filter(({ kind }) => kind !== 'group')).toHaveLength(names.size);
  });

  it('is smaller than 1 MB even if 10,000 stacks share nothing', { timeout: 60_000 }, () => {
    let state = 1;
    const next = () => {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
      return state >> 8;
    };
    const functions = Array.from({ length: 2000 }, (_, i) => frameOf(`storage::engine::operation_${i}::run`));
    const stacks = Array.from({ length: 10_000 }, (_, i) => ({
      ...stackOf('', 1 + (next() % 1e8), { tid: i % 100 }),
      frames: Array.from({ length: 35 }, () => functions[next() % 2000] as ReturnType<typeof frameOf>),
    }));
    expect(Buffer.byteLength(flamegraphView(stacks, OPTIONS))).toBeLessThan(1e6);
  });

  it('shows a stack without frames as one frame with its reason', () => {
    const stacks: FlameStack[] = [
      stackOf('', 1, { kind: 'on_cpu' }),
      stackOf('', 2, { kind: 'unaccounted' }),
      stackOf('', 3, { kind: 'lock' }),
    ];
    const names = profileIn(flamegraphView(stacks, OPTIONS)).frames.map(({ name }) => name);
    expect(names.slice(0, 3)).toEqual(['[on the CPU, not sampled]', '[unaccounted]', '[no stack]']);
  });

  it('lists the longest stacks for browsers without scripts, and the number of others', () => {
    const stacks = Array.from({ length: 53 }, (_, i) => stackOf(`main part_${i}`, 1000 + i));
    const html = flamegraphView([stackOf('main long', 5e9, { open: true }), ...stacks], OPTIONS);
    expect(html.match(/<li>.*<code>/g)).toHaveLength(50);
    expect(html).toContain('<li>5.00 s, 100.0 %, lock, worker:1, not ended<br><code>main → long</code></li>');
    expect(html).toContain('Not listed: 4 stacks');
  });
});
