import type { App } from './app.ts';
import type { Graph } from './graph.ts';

/** Prints the whole graph, dark on light. */
export function usePrint(app: App, graph: Graph): void {
  let restore: (() => void) | undefined;
  window.addEventListener('beforeprint', () => {
    const { dark } = app.state;
    if (dark) app.update({ dark: false });
    const fold = graph.unfold();
    restore = () => {
      fold();
      if (dark) app.update({ dark });
    };
  });
  window.addEventListener('afterprint', () => {
    restore?.();
    restore = undefined;
  });
}
