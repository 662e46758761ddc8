import type { Rect } from '../layout.ts';
import { totalNs } from '../tree-sums.ts';
import type { App } from './app.ts';
import type { Graph } from './graph.ts';
import { ROW } from './paint.ts';

/** A frame as a program finds it in the window, CSS pixels. */
export interface FrameBox {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly timeNs: number;
}

declare global {
  interface Window {
    /** For scripts that drive the page. */
    flameGraph?: { readonly ready: true; readonly frames: () => FrameBox[] };
  }
}

export function offerHooks(app: App, graph: Graph): void {
  const boxes = (row: readonly Rect[], depth: number): FrameBox[] => {
    const [left, y] = [graph.left(), graph.top(depth)];
    const frames = row.filter(({ narrow }) => narrow === 0);
    return frames.map(({ node, x, width }) => ({
      name: app.profile.frames[app.tree.frame[node] as number]?.name ?? '',
      ...{ x: left + x, y, width, height: ROW, depth, timeNs: totalNs(app.tree, node) },
    }));
  };
  window.flameGraph = { ready: true, frames: () => graph.layout().rows.flatMap(boxes) };
}
