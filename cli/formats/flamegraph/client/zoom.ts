import type { App } from './app.ts';

/** Gives a frame the whole width, and measures how long that takes. */
export function zoomTo(app: App, node: number): void {
  const start = performance.now();
  app.update({ zoom: node, selected: node });
  performance.measure('zoom', { start, end: performance.now() });
}
