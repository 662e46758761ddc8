import { type Layout, positions, type Rect } from '../layout.ts';
import type { App } from './app.ts';
import type { frameColours } from './colours.ts';

/** CSS pixels. */
export const ROW = 18;
const FONT = '12px ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace';
const PADDING = 4;
const LEAST_LABEL = 3;

/** Position of the graph on the canvas, and the frame under the pointer. */
export interface Scene {
  readonly app: App;
  readonly layout: Layout;
  readonly colourOf: ReturnType<typeof frameColours>;
  /** CSS pixels: of the canvas, of the whole picture, and how far it is scrolled. */
  readonly width: number;
  readonly height: number;
  readonly sheetHeight: number;
  readonly scroll: number;
  readonly hovered: Rect | undefined;
}

/** Draws the visible part of the graph. */
export function paint(context: CanvasRenderingContext2D, scene: Scene, pixelRatio: number): void {
  const { app, layout, scroll, height } = scene;
  context.setTransform(pixelRatio, 0, 0, pixelRatio, 0, -scroll * pixelRatio);
  context.clearRect(0, scroll, scene.width, height);
  context.font = FONT;
  context.textBaseline = 'middle';
  const draw = rectPainter(context, scene);
  layout.rows.forEach((row, depth) => {
    const y = rowTop(scene, depth);
    if (y + ROW < scroll || y > scroll + height) return;
    for (const rect of row) draw(rect, y);
  });
  context.globalAlpha = 1;
  const place = positions(app.tree, app.state.zoom, scene.width);
  if (scene.hovered) outline(context, scene.hovered, rowTop(scene, scene.hovered.depth), ink(app), 1);
  const { selected } = app.state;
  const depth = app.tree.depth[selected] as number;
  const whole = depth <= (app.tree.depth[app.state.zoom] as number);
  if (selected > 0)
    outline(
      context,
      whole ? { x: 0, width: scene.width } : place(selected),
      rowTop(scene, depth),
      ink(app),
      2,
    );
}

/** Top of a row in the whole graph. */
export function rowTop({ app, sheetHeight }: Pick<Scene, 'app' | 'sheetHeight'>, depth: number): number {
  return app.state.icicle ? depth * ROW : sheetHeight - (depth + 1) * ROW;
}

function ink({ state }: App): string {
  return state.dark ? '#f4f4f5' : '#18181b';
}

function rectPainter(context: CanvasRenderingContext2D, { app, colourOf }: Scene) {
  const { tree, profile, state } = app;
  const zoomDepth = tree.depth[state.zoom] as number;
  const hatch = hatching(context, state.dark);
  const shorten = labelFitter(context);
  const colour = ink(app);
  const opacity = (rect: Rect, frame: number) => {
    if (app.search && !app.isMatch(frame)) return 0.3;
    return rect.depth < zoomDepth ? 0.6 : rect.narrow > 0 ? 0.7 : 1;
  };
  let filled = '';
  return (rect: Rect, y: number) => {
    const frame = tree.frame[rect.node] as number;
    const { name, kind } = profile.frames[frame] ?? { name: '', kind: 'none' };
    const width = Math.max(rect.width - (rect.width > 3 ? 1 : 0), 0.5);
    const alpha = opacity(rect, frame);
    if (context.globalAlpha !== alpha) context.globalAlpha = alpha;
    const fill = colourOf(rect.node);
    // Setting a colour takes longer than comparing it.
    if (fill !== filled) context.fillStyle = fill;
    filled = fill;
    context.fillRect(rect.x, y, width, ROW - 1);
    if (kind === 'kernel' && width > 3 && hatch) {
      context.fillStyle = hatch;
      filled = '';
      context.fillRect(rect.x, y, width, ROW - 1);
    }
    const label = rect.narrow > 0 ? '' : shorten(name, width - 2 * PADDING);
    if (label) {
      context.globalAlpha = Math.max(alpha, 0.55);
      context.fillStyle = colour;
      filled = '';
      context.fillText(label, rect.x + PADDING, y + ROW / 2);
    }
    if (app.search && rect.narrow === 0 && width > 2 && app.isMatch(frame))
      outline(context, rect, y, colour, 1);
  };
}

function outline(
  context: CanvasRenderingContext2D,
  { x, width }: { x: number; width: number },
  y: number,
  colour: string,
  line: number,
): void {
  context.strokeStyle = colour;
  context.lineWidth = line;
  context.strokeRect(x + line / 2, y + line / 2, Math.max(width - 1 - line, 1), ROW - 1 - line);
}

/** Thin lines from the lower left to the upper right. */
function hatching(context: CanvasRenderingContext2D, dark: boolean): CanvasPattern | null {
  const tile = document.createElement('canvas');
  tile.width = tile.height = 6;
  const lines = tile.getContext('2d');
  if (!lines) return null;
  lines.strokeStyle = dark ? 'rgba(255,255,255,0.10)' : 'rgba(0,0,0,0.09)';
  lines.beginPath();
  for (const x of [-6, 0, 6]) {
    lines.moveTo(x, 6);
    lines.lineTo(x + 6, 0);
  }
  lines.stroke();
  return context.createPattern(tile, 'repeat');
}

/** Cuts names that do not fit. All ASCII characters have the same width, so they need no measuring. */
function labelFitter(context: CanvasRenderingContext2D) {
  const character = context.measureText('x').width;
  return (name: string, width: number): string => {
    const most = Math.floor(width / character);
    if (most < LEAST_LABEL) return '';
    if (name.length <= most && isAscii(name)) return name;
    const letters = Array.from(name.slice(0, 2 * most));
    const cut = letters.length > most || letters.length < name.length;
    let text = cut ? `${letters.slice(0, most - 1).join('')}…` : letters.join('');
    if (isAscii(text.slice(0, -1))) return text;
    for (let n = letters.length; n > 0 && context.measureText(text).width > width; n--)
      text = `${letters.slice(0, n - 1).join('')}…`;
    return text;
  };
}

function isAscii(text: string): boolean {
  return !/[^ -~]/.test(text);
}
