import { element } from './elements.ts';
import { ROW } from './paint.ts';

/** The box that scrolls over the picture, and the canvas that stays in it. Lengths are in CSS pixels. */
export interface Viewport {
  readonly box: HTMLElement;
  readonly context: CanvasRenderingContext2D;
  readonly width: () => number;
  /** Size of the canvas. */
  readonly height: () => number;
  readonly scroll: () => number;
  /** Size of the whole graph. */
  readonly sheetHeight: () => number;
  readonly pixelRatio: () => number;
  /** Adapts to a number of rows and to the window. */
  readonly fit: (rows: VisibleRows) => void;
  /** Shows all rows, whatever the height: for printing. */
  readonly unfold: (whole: boolean) => void;
  /** Calls back after scrolling, and after the window changed its size. */
  readonly listen: (scrolled: () => void, resized: () => void) => void;
}

export interface VisibleRows {
  /** Now, and at most: the box keeps its height when the picture is zoomed. */
  readonly now: number;
  readonly most: number;
  /** Whether the root is at the top. */
  readonly icicle: boolean;
}

export function createViewport(): Viewport {
  const [box, sheet] = [element('graph'), element('sheet')];
  const canvas = element<HTMLCanvasElement>('canvas');
  let rows: VisibleRows = { now: 0, most: 0, icicle: false };
  let unfolded = false;
  // Keep the visible rows in place when the box or the graph changes its height.
  let fromRoot = 0;
  const sheetHeight = () => Math.max(rows.now * ROW, box.clientHeight);
  const height = () => (unfolded ? sheetHeight() : box.clientHeight);
  const fit = (changed: VisibleRows) => {
    if (changed.icicle !== rows.icicle) fromRoot = 0;
    rows = changed;
    box.style.setProperty('--height', `${rows.most * ROW}px`);
    sheet.style.setProperty('--height', `${sheetHeight()}px`);
    box.scrollTop = rows.icicle ? fromRoot : box.scrollHeight - box.clientHeight - fromRoot;
    sizeCanvas(canvas, box.clientWidth, height());
  };
  return {
    ...{ box, context: canvas.getContext('2d') as CanvasRenderingContext2D, sheetHeight, height, fit },
    width: () => box.clientWidth,
    scroll: () => (unfolded ? 0 : box.scrollTop),
    pixelRatio: () => canvas.width / Math.max(1, box.clientWidth),
    unfold: (whole) => {
      unfolded = whole;
    },
    listen: (scrolled, resized) => {
      box.addEventListener('scroll', () => {
        fromRoot = rows.icicle ? box.scrollTop : box.scrollHeight - box.clientHeight - box.scrollTop;
        scrolled();
      });
      whenResized(box, resized);
    },
  };
}

/** Observes changes of size, without the initial one. */
function whenResized(box: HTMLElement, resized: () => void): void {
  const size = () => `${box.clientWidth} ${box.clientHeight} ${window.devicePixelRatio}`;
  let known = size();
  new ResizeObserver(() => {
    if (size() === known) return;
    resized();
    known = size();
  }).observe(box);
}

/** Browsers paint at most 32,767 pixels of height. */
const MOST_PIXELS = 32_000;

function sizeCanvas(canvas: HTMLCanvasElement, width: number, height: number): void {
  const ratio = Math.min(window.devicePixelRatio || 1, MOST_PIXELS / Math.max(1, height));
  const [pixelsWide, pixelsHigh] = [Math.round(width * ratio), Math.round(height * ratio)];
  // Setting a size empties the canvas, even the same one.
  if (canvas.width !== pixelsWide) canvas.width = pixelsWide;
  if (canvas.height !== pixelsHigh) canvas.height = pixelsHigh;
  canvas.style.setProperty('--width', `${width}px`);
  canvas.style.setProperty('--height', `${height}px`);
}
