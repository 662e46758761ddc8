import { type Step, stepFrom } from '../paths.ts';
import type { App } from './app.ts';
import { element } from './elements.ts';
import { zoomTo } from './zoom.ts';

/** Handles keys. Those of the graph work only while it has the focus. */
export function useKeys(app: App): void {
  const search = element<HTMLInputElement>('search');
  const [graph, help] = [element('graph'), element<HTMLDialogElement>('help')];
  graph.addEventListener('keydown', (event) => {
    const step = stepOf(event.key, app.state.icicle);
    if (step) app.update({ selected: stepFrom(app.tree, app.state.selected, step) });
    else if (event.key === 'Enter') zoomTo(app, app.state.selected);
    else return;
    event.preventDefault();
  });
  const keys: Readonly<Record<string, () => void>> = {
    '/': () => search.select(),
    i: () => app.update({ icicle: !app.state.icicle }),
    '?': () => help.showModal(),
  };
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    const typing = event.target instanceof HTMLInputElement && event.target.type === 'search';
    if (event.key === 'Escape') goBack(app, typing ? search : undefined, graph);
    else if (!typing && keys[event.key]) keys[event.key]?.();
    else return;
    event.preventDefault();
  });
}

/** Callees are above their caller, or below it in an icicle. */
function stepOf(key: string, icicle: boolean): Step | undefined {
  const [up, down]: [Step, Step] = icicle ? ['caller', 'callee'] : ['callee', 'caller'];
  const steps: Readonly<Record<string, Step>> = {
    ...{ ArrowUp: up, ArrowDown: down },
    ...{ ArrowLeft: 'left', ArrowRight: 'right' },
  };
  return steps[key];
}

/** Leaves the search field; otherwise zooms out; otherwise clears search and selection. */
function goBack(app: App, search: HTMLInputElement | undefined, graph: HTMLElement): void {
  if (search) {
    app.update({ search: '' });
    graph.focus();
  } else if (app.state.zoom > 0) zoomTo(app, 0);
  else app.update({ search: '', selected: 0 });
}
