/**
 * Compares the page of `--format flamegraph` with one made with d3-flame-graph: the same 10,000 stacks, in the same headless
 * Chromium, in turn.
 */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import { PROFILERS } from '../../bt/profilers/profiler-registry.ts';
import type { FlameStack } from '../../cli/formats/flamegraph/flame-stack.ts';
import { coloursOf, eventWordsOf } from '../../cli/formats/flamegraph/kind-looks.ts';
import { frameName } from '../../metrics/timed-stacks.ts';
import { launchChromium } from '../chromium.ts';
import { loadFlamegraphView } from '../flamegraph-client.ts';
import { manyStacks } from './flame-stacks.ts';
import { CHROMIUM, requireCommands } from './needs.ts';
import { median } from './rows.ts';

const STACKS = 10_000;
const MOST_BYTES = 1e6;
const RUNS = 5;
const ZOOMS = 4;
/** Width of both graphs, CSS pixels. */
const WIDTH = 1280;

/** One of the two pages, and the expressions with which a script drives it in the browser. */
interface Contestant {
  readonly name: string;
  readonly file: string;
  /** True when the graph is drawn. */
  readonly drawn: string;
  /** `(depth) => void`: clicks on the widest frame of that depth. */
  readonly click: string;
  /** `() => boolean`: true when the clicked frame has the full width. */
  readonly zoomed: string;
}

interface Times {
  readonly firstPaintMs: number[];
  readonly zoomMs: number[];
}

/** @returns whether the page is small enough and as fast as the other */
export async function benchFlamegraph(): Promise<boolean> {
  await requireCommands(CHROMIUM);
  const dir = mkdtempSync(join(tmpdir(), 'btprof-bench-'));
  const browser = await launchChromium();
  try {
    const pages = await writePages(dir);
    const times = pages.map((): Times => ({ firstPaintMs: [], zoomMs: [] }));
    for (let run = 0; run < RUNS; run++)
      for (const [i, page] of pages.entries()) await measure(browser, page, times[i] as Times);
    return judge(pages, times);
  } finally {
    await browser.close();
    rmSync(dir, { recursive: true });
  }
}

async function writePages(dir: string): Promise<Contestant[]> {
  const stacks = manyStacks(STACKS);
  const { flamegraphView } = await loadFlamegraphView();
  const options = {
    title: 'orders-server',
    subtitle: '',
    notes: [],
    colours: coloursOf(PROFILERS),
    events: eventWordsOf(PROFILERS),
  };
  const [ours, theirs] = [join(dir, 'btprof.html'), join(dir, 'd3.html')];
  writeFileSync(ours, flamegraphView(stacks, options));
  writeFileSync(theirs, await d3Page(stacks));
  return [
    { name: 'btprof', file: ours, ...OURS },
    { name: 'd3-flame-graph', file: theirs, ...D3 },
  ];
}

const OURS = {
  drawn: 'window.flameGraph?.ready',
  click: `(depth) => {
    const row = window.flameGraph.frames().filter((frame) => frame.depth === depth);
    window.target = row.sort((a, b) => b.width - a.width)[0];
    const at = { clientX: window.target.x + window.target.width / 2, clientY: window.target.y + 8, bubbles: true };
    document.getElementById('graph').dispatchEvent(new MouseEvent('click', at));
  }`,
  // The graph is painted before the click returns.
  zoomed: `() => performance.getEntriesByName('zoom').length > 0`,
};

const D3 = {
  drawn: 'window.drawn',
  click: `(depth) => {
    const row = [...document.querySelectorAll('g.frame')].filter((g) => g.__data__.depth === depth);
    window.target = row.sort((a, b) => b.__data__.value - a.__data__.value)[0];
    window.target.dispatchEvent(new MouseEvent('click', { bubbles: true }));
  }`,
  zoomed: `() => window.target.querySelector('rect').width.baseVal.value >= ${WIDTH - 30}`,
};

/** A page as in the README of d3-flame-graph, but in one file. It omits frames below one pixel, as ours does. */
async function d3Page(stacks: readonly FlameStack[]): Promise<string> {
  const { outputFiles } = await build({
    stdin: {
      contents: `
        import { select } from 'd3-selection';
        import flamegraph from 'd3-flame-graph';
        const chart = flamegraph().width(${WIDTH}).transitionDuration(0).minFrameSize(1).sort(true);
        select('#chart').datum(JSON.parse(document.getElementById('data').textContent)).call(chart);
        window.drawn = true;`,
      resolveDir: fileURLToPath(new URL('.', import.meta.url)),
    },
    ...{ bundle: true, minify: true, write: false, format: 'iife', outdir: '/' },
  });
  const text = (end: string) => outputFiles.find(({ path }) => path.endsWith(end))?.text ?? '';
  return `<!DOCTYPE html><meta charset="utf-8"><title>d3-flame-graph</title><style>${text('.css')}</style>
<div id="chart"></div><script id="data" type="application/json">${JSON.stringify(nested(stacks))}</script>
<script>${text('.js')}</script>`;
}

interface Nested {
  readonly name: string;
  value: number;
  readonly children: Nested[];
}

/** The stacks as the tree that d3-flame-graph reads. */
function nested(stacks: readonly FlameStack[]): Nested {
  const root: Nested = { name: 'all', value: 0, children: [] };
  const known = new Map<Nested, Map<string, Nested>>();
  for (const { frames, timeNs } of stacks) {
    let node = root;
    node.value += timeNs;
    for (const name of frames.map(frameName)) {
      const callees = known.get(node) ?? new Map<string, Nested>();
      known.set(node, callees);
      const child = callees.get(name) ?? { name, value: 0, children: [] };
      if (!callees.has(name)) node.children.push(child);
      callees.set(name, child);
      child.value += timeNs;
      node = child;
    }
  }
  return root;
}

async function measure(browser: Browser, contestant: Contestant, times: Times): Promise<void> {
  const page = await browser.newPage({ viewport: { width: WIDTH, height: 900 } });
  page.setDefaultTimeout(180_000);
  await page.addInitScript(whenDrawn(contestant.drawn));
  await page.goto(pathToFileURL(contestant.file).href);
  times.firstPaintMs.push(await page.evaluate<number>('window.firstPaint'));
  for (let i = 0; i < ZOOMS; i++) times.zoomMs.push(await zoom(page, contestant, i % 2 ? 0 : 1));
  await page.context().close();
}

/** Sets `window.firstPaint`, a promise: ms from the start of the load until one frame after the graph first appears. */
function whenDrawn(drawn: string): string {
  return `window.firstPaint = new Promise((resolve) => {
    const look = () => {
      if (${drawn}) requestAnimationFrame(() => resolve(performance.now()));
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });`;
}

/** @returns ms from the click until the new graph is on screen */
function zoom(page: Page, { click, zoomed }: Contestant, depth: number): Promise<number> {
  return page.evaluate<number>(`new Promise((resolve) => {
    const start = performance.now();
    (${click})(${depth});
    const look = () => {
      if ((${zoomed})()) requestAnimationFrame(() => resolve(performance.now() - start));
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  })`);
}

function judge(pages: readonly Contestant[], times: readonly Times[]): boolean {
  const figures = pages.map(({ file }, i) => {
    const { firstPaintMs, zoomMs } = times[i] as Times;
    return [statSync(file).size, median(firstPaintMs), median(zoomMs)] as const;
  });
  const [ours, theirs] = figures as [(typeof figures)[0], (typeof figures)[0]];
  console.log(`\nflamegraph: ${STACKS} stacks, medians of ${RUNS} loads and ${RUNS * ZOOMS} zooms, in turn`);
  console.log(`${''.padEnd(24)}${pages.map(({ name }) => name.padStart(16)).join('')}           ratio`);
  for (const [i, what] of ['bytes of the page', 'first paint, ms', 'zoom, ms'].entries()) {
    const cells = [ours[i], theirs[i]].map((n) => Math.round(n as number).toLocaleString('en-US'));
    const ratio = ((theirs[i] as number) / (ours[i] as number)).toFixed(1);
    console.log(
      `  ${what.padEnd(22)}${cells.map((cell) => cell.padStart(16)).join('')}${ratio.padStart(16)}`,
    );
  }
  const aims: [string, boolean][] = [
    [`below ${MOST_BYTES / 1e6} MB`, ours[0] < MOST_BYTES],
    ['first paint and zoom take no longer', ours[1] <= theirs[1] && ours[2] <= theirs[2]],
  ];
  console.log(`\n${aims.map(([text, reached]) => `${reached ? 'reached' : 'MISSED '}  ${text}`).join('\n')}`);
  return aims.every(([, reached]) => reached);
}
