import { type Layout, layoutOf, type Rect, rectAt } from '../layout.ts';
import type { App } from './app.ts';
import { frameColours } from './colours.ts';
import { paint, ROW, rowTop, type Scene } from './paint.ts';
import { createViewport, type Viewport } from './viewport.ts';

/** The graph on its canvas. */
export interface Graph {
  /** Finds the frame at a point of the window, CSS pixels. */
  readonly at: (x: number, y: number) => Rect | undefined;
  readonly hover: (rect: Rect | undefined) => void;
  readonly layout: () => Layout;
  /** Position of a row in the window. */
  readonly top: (depth: number) => number;
  readonly left: () => number;
  /** Paints all rows, and returns a function that goes back to the visible ones. */
  readonly unfold: () => () => void;
}

/** Paints now, and whenever the state or the window changes. */
export function createGraph(app: App): Graph {
  const viewport = createViewport();
  const picture = { app, viewport, layout: { rows: [] }, colourOf: coloursOf(app), hovered: undefined };
  useChanges(picture);
  refit(picture);
  repaint(picture);
  return graphOf(picture);
}

interface Picture {
  readonly app: App;
  readonly viewport: Viewport;
  layout: Layout;
  colourOf: Scene['colourOf'];
  hovered: Rect | undefined;
}

function coloursOf({ profile, tree, state }: App): Scene['colourOf'] {
  return frameColours(profile, tree, state.dark);
}

function useChanges(picture: Picture): void {
  const { app, viewport } = picture;
  app.listen((change) => {
    if (change.view || change.dark !== undefined) picture.colourOf = coloursOf(app);
    if (change.view || change.zoom !== undefined) picture.hovered = undefined;
    if (change.view || change.zoom !== undefined || change.icicle !== undefined) refit(picture);
    if (change.selected !== undefined) reveal(picture);
    repaint(picture);
  });
  const resized = () => {
    refit(picture);
    repaint(picture);
  };
  viewport.listen(() => repaint(picture), resized);
}

function refit(picture: Picture): void {
  const { app, viewport } = picture;
  picture.layout = layoutOf(app.tree, app.state.zoom, viewport.width());
  viewport.fit({ now: picture.layout.rows.length, most: maxDepth(app) + 1, icicle: app.state.icicle });
}

function repaint(picture: Picture): void {
  const { viewport } = picture;
  paint(viewport.context, sceneOf(picture), viewport.pixelRatio());
}

function sceneOf({ viewport, ...picture }: Picture): Scene {
  return {
    ...picture,
    ...{ width: viewport.width(), height: viewport.height(), scroll: viewport.scroll() },
    sheetHeight: viewport.sheetHeight(),
  };
}

function graphOf(picture: Picture): Graph {
  const { app, viewport } = picture;
  const { box } = viewport;
  const unfold = (whole: boolean) => {
    viewport.unfold(whole);
    refit(picture);
    repaint(picture);
  };
  return {
    at: (x, y) => frameAt(picture, x, y),
    hover: (rect) => {
      if (rect === picture.hovered) return;
      picture.hovered = rect;
      repaint(picture);
    },
    layout: () => picture.layout,
    top: (depth) =>
      box.getBoundingClientRect().top +
      rowTop({ app, sheetHeight: viewport.sheetHeight() }, depth) -
      box.scrollTop,
    left: () => box.getBoundingClientRect().left,
    unfold: () => {
      unfold(true);
      return () => unfold(false);
    },
  };
}

function frameAt({ app, viewport, layout }: Picture, x: number, y: number): Rect | undefined {
  const { left, top } = viewport.box.getBoundingClientRect();
  if (x >= left + viewport.width()) return undefined;
  const down = y - top + viewport.box.scrollTop;
  const fromRoot = app.state.icicle ? down : viewport.sheetHeight() - down;
  return rectAt(layout, x - left, Math.floor(fromRoot / ROW));
}

const depths = new WeakMap<object, number>();

/** Of the whole tree. */
function maxDepth({ tree }: App): number {
  const known = depths.get(tree) ?? tree.depth.reduce((most, depth) => Math.max(most, depth), 0);
  depths.set(tree, known);
  return known;
}

/** Scrolls to the row of the selected frame. */
function reveal({ app, viewport }: Picture): void {
  const { box } = viewport;
  const depth = app.tree.depth[app.state.selected] as number;
  const top = rowTop({ app, sheetHeight: viewport.sheetHeight() }, depth);
  if (top < box.scrollTop) box.scrollTop = top;
  else if (top + ROW > box.scrollTop + box.clientHeight) box.scrollTop = top + ROW - box.clientHeight;
}
