import { createApp } from './app.ts';
import { useControls } from './controls.ts';
import { element } from './elements.ts';
import { createGraph } from './graph.ts';
import { offerHooks } from './hooks.ts';
import { useKeys } from './keys.ts';
import { useLegend } from './legend.ts';
import { usePointer } from './pointer.ts';
import { usePrint } from './print.ts';
import { readProfile } from './read.ts';
import { useTable } from './table.ts';

const root = document.documentElement;
const prefersDark = window.matchMedia('(prefers-color-scheme: dark)');
// Hide the plain list at once, so that it does not flash before the graph.
root.classList.add('scripted');
start().catch((error: unknown) => {
  root.classList.remove('scripted');
  element('app').hidden = true;
  element('failure').textContent = `This browser cannot draw the graph: ${String(error)}`;
  element('failure').hidden = false;
});

async function start(): Promise<void> {
  const profile = await readProfile();
  if (profile.stacks.length === 0) return;
  element('app').hidden = false;
  const app = createApp(profile, prefersDark.matches);
  root.dataset.theme = app.state.dark ? 'dark' : 'light';
  useControls(app);
  useLegend(app);
  const graph = createGraph(app);
  performance.measure('first-paint', { start: 0, end: performance.now() });
  usePointer(app, graph);
  useKeys(app);
  useTable(app);
  usePrint(app, graph);
  offerHooks(app, graph);
  prefersDark.addEventListener('change', ({ matches }) => app.update({ dark: matches }));
}
