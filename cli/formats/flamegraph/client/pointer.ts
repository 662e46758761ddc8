import { plural } from '../../../../metrics/units.ts';
import { describeFrame } from '../describe.ts';
import type { Rect } from '../layout.ts';
import type { App } from './app.ts';
import { element, textElement } from './elements.ts';
import type { Graph } from './graph.ts';
import { zoomTo } from './zoom.ts';

/** Shows a tooltip for the frame under the pointer, and zooms on a click. */
export function usePointer(app: App, graph: Graph): void {
  const [box, tooltip] = [element('graph'), element('tooltip')];
  const hide = () => {
    tooltip.hidden = true;
    graph.hover(undefined);
  };
  box.addEventListener('pointermove', (event) => {
    const rect = graph.at(event.clientX, event.clientY);
    box.classList.toggle('on-frame', rect !== undefined);
    graph.hover(rect);
    if (!rect) return hide();
    tooltip.replaceChildren(...tooltipContent(app, rect));
    tooltip.hidden = false;
    placeAt(tooltip, event.clientX, event.clientY);
  });
  box.addEventListener('pointerleave', hide);
  box.addEventListener('scroll', hide);
  box.addEventListener('click', (event) => {
    const rect = graph.at(event.clientX, event.clientY);
    if (!rect) return;
    const node = rect.narrow > 0 ? (app.tree.parent[rect.node] as number) : rect.node;
    hide();
    zoomTo(app, node);
  });
}

/** The tooltip cuts longer names. */
const MAX_CHARACTERS = 500;

function tooltipContent({ profile, tree, state }: App, rect: Rect): HTMLElement[] {
  if (rect.narrow > 0) return narrowContent(rect);
  const { name, what, facts } = describeFrame(profile, tree, rect.node, state.zoom);
  const rows = facts.flatMap(([label, value]) => [textElement('dt', label), textElement('dd', value)]);
  const list = document.createElement('dl');
  list.append(...rows);
  return [textElement('strong', shortened(name)), textElement('p', shortened(what)), list];
}

function narrowContent(rect: Rect): HTMLElement[] {
  const what = `${plural(rect.narrow, 'frame')} too narrow to draw`;
  return [textElement('strong', what), textElement('p', 'Click to zoom to the caller.')];
}

function shortened(text: string): string {
  return text.length > MAX_CHARACTERS
    ? `${text.slice(0, MAX_CHARACTERS)}… (${plural(text.length, 'character')})`
    : text;
}

/** Puts the tooltip beside the pointer, inside the window. */
function placeAt(tooltip: HTMLElement, x: number, y: number): void {
  const { width, height } = tooltip.getBoundingClientRect();
  const left = x + 14 + width > window.innerWidth ? x - width - 10 : x + 14;
  const top = y + 16 + height > window.innerHeight ? y - height - 10 : y + 16;
  tooltip.style.left = `${Math.max(4, Math.min(left, window.innerWidth - width - 4))}px`;
  tooltip.style.top = `${Math.max(4, top)}px`;
}
