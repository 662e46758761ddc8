import { formatNs, formatShare } from '../../../../metrics/units.ts';
import { describeFrame, sentenceOf } from '../describe.ts';
import { matchedNs } from '../search.ts';
import type { View } from '../tree.ts';
import { totalNs } from '../tree-sums.ts';
import type { App } from './app.ts';
import { element } from './elements.ts';
import { zoomTo } from './zoom.ts';

/** The controls above the graph, and the status line below it. */
export function useControls(app: App): void {
  useView(app);
  useSearch(app);
  element('reset').addEventListener('click', () => zoomTo(app, 0));
  element('icicle').addEventListener('click', () => app.update({ icicle: !app.state.icicle }));
  element('theme').addEventListener('click', () => app.update({ dark: !app.state.dark }));
  element('keys').addEventListener('click', () => element<HTMLDialogElement>('help').showModal());
  app.listen((change) => {
    showState(app);
    if (change.selected !== undefined || change.view) tellSelected(app);
  });
  showState(app);
}

const SWITCHES = ['user', 'kernel', 'idle'] as const;
const CHOICES = ['group', 'order', 'width'] as const;

function useView(app: App): void {
  const change = (part: Partial<View>) => app.update({ view: { ...app.state.view, ...part } });
  for (const name of SWITCHES) {
    const box = element<HTMLInputElement>(name);
    box.checked = true;
    box.addEventListener('change', () => change({ [name]: box.checked }));
  }
  for (const name of CHOICES) {
    const choice = element<HTMLSelectElement>(name);
    choice.value = app.state.view[name];
    choice.addEventListener('change', () => change({ [name]: choice.value }));
  }
  element('width-label').hidden = !app.profile.stacks.beforeNs;
}

/** Searches while the user types. */
function useSearch(app: App): void {
  const input = element<HTMLInputElement>('search');
  input.value = '';
  input.addEventListener('input', () => app.update({ search: input.value }));
  app.listen(({ search }) => {
    if (search !== undefined && input.value !== search) input.value = search;
  });
}

function showState(app: App): void {
  const { icicle, dark, zoom } = app.state;
  element('matched').textContent = matchText(app);
  element<HTMLButtonElement>('reset').disabled = zoom === 0;
  element('icicle').setAttribute('aria-pressed', String(icicle));
  element('theme').textContent = dark ? 'Light' : 'Dark';
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
}

/** `matched: 12.3 % (1.23 s)`. */
function matchText({ tree, search, isMatch, state }: App): string {
  if (!search) return '';
  const [ns, all] = [matchedNs(tree, isMatch), totalNs(tree, 0)];
  const here = matchedNs(tree, isMatch, state.zoom);
  const zoomed =
    state.zoom > 0 ? `, ${formatShare(here, totalNs(tree, state.zoom))} of the zoomed frame` : '';
  const how = search.plain ? '; not a regular expression, taken as text' : '';
  return `matched: ${formatShare(ns, all)} (${formatNs(ns)})${zoomed}${how}`;
}

/** Writes to the line below the graph, which screen readers announce. */
function tellSelected({ profile, tree, state }: App): void {
  element('selected').textContent = sentenceOf(describeFrame(profile, tree, state.selected, state.zoom));
}
