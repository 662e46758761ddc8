import { formatNs, formatShare } from '../../../../metrics/units.ts';
import { IDLE, kindLabel } from '../flame-profile.ts';
import { weightOf } from '../tree.ts';
import type { App } from './app.ts';
import { changeColour, FULL_CHANGE, kindColour } from './colours.ts';
import { button, element, textElement } from './elements.ts';

/** A switch for each kind with its share, and a sentence about what is hidden. */
export function useLegend(app: App): void {
  const buttons = kindsByTime(app).map((kind) => ({ kind, made: kindButton(app, kind) }));
  element('legend').replaceChildren(...buttons.map(({ made }) => made), ...changeScale(app));
  const show = () => {
    const { times, all } = timesOf(app);
    for (const { kind, made } of buttons) {
      made.setAttribute('aria-pressed', String(!app.state.view.hidden.has(kind)));
      (made.lastElementChild as HTMLElement).textContent = formatShare(times[kind] ?? 0, all);
      (made.firstElementChild as HTMLElement).style.background = kindColour(
        app.profile.colours[kind] ?? [0, 0],
        app.state.dark,
      );
    }
    colourScale(app.state.dark);
    element('hidden').textContent = hiddenText(app);
  };
  app.listen((change) => {
    if (change.view || change.dark !== undefined) show();
  });
  show();
}

function kindsByTime(app: App): number[] {
  const { times } = timesOf(app);
  return app.profile.kinds.map((_, kind) => kind).sort((a, b) => (times[b] ?? 0) - (times[a] ?? 0));
}

function kindButton(app: App, kind: number): HTMLButtonElement {
  const made = button('', () => {
    const hidden = new Set(app.state.view.hidden);
    if (!hidden.delete(kind)) hidden.add(kind);
    app.update({ view: { ...app.state.view, hidden } });
  });
  made.dataset.kind = app.profile.kinds[kind] ?? '';
  const swatch = textElement('span', '', 'swatch');
  // In a comparison, colours show the change.
  swatch.hidden = app.profile.stacks.beforeNs !== undefined;
  made.append(swatch, textElement('span', kindLabel(made.dataset.kind)), textElement('span', '', 'share'));
  return made;
}

const STEPS = [-1, -0.25, 0, 0.25, 1];

/** The meaning of the colours in a comparison. */
function changeScale({ profile }: App): HTMLElement[] {
  if (!profile.stacks.beforeNs) return [];
  const scale = document.createElement('span');
  scale.className = 'scale';
  const percent = FULL_CHANGE * 100;
  scale.append(
    textElement('span', `shrank by ${percent} % of all`),
    ...STEPS.map(() => textElement('span', '', 'swatch change')),
    textElement('span', `grew by ${percent} %`),
  );
  return [scale];
}

function colourScale(dark: boolean): void {
  const swatches = document.querySelectorAll<HTMLElement>('.change');
  swatches.forEach((swatch, i) => {
    swatch.style.background = changeColour((STEPS[i] ?? 0) * FULL_CHANGE, dark);
  });
}

/** Time of each kind, including hidden ones, ns. */
function timesOf({ profile, state }: App) {
  const { stacks, kinds } = profile;
  const times = kinds.map(() => 0);
  const weight = weightOf(profile, state.view);
  let [all, idleHidden] = [0, 0];
  for (let i = 0; i < stacks.length; i++) {
    const [kind, ns] = [stacks.kind[i] as number, weight[i] as number];
    const isIdle = ((stacks.flags[i] as number) & IDLE) !== 0;
    if (isIdle && !state.view.idle) {
      idleHidden += ns;
      continue;
    }
    times[kind] = (times[kind] ?? 0) + ns;
    all += ns;
  }
  return { times, all, idleHidden };
}

/** `Shown: 1.20 s of 3.40 s; hidden: idle waits 2.00 s, lock 200.0 ms`. */
function hiddenText(app: App): string {
  const { times, all, idleHidden } = timesOf(app);
  const kinds = [...app.state.view.hidden].map(
    (kind) => [app.profile.kinds[kind] ?? '', times[kind] ?? 0] as const,
  );
  const parts = [
    ...(app.state.view.idle ? [] : [['idle waits', idleHidden] as const]),
    ...kinds.map(([kind, ns]) => [kindLabel(kind), ns] as const),
  ];
  const whole = all + idleHidden;
  const shown = kinds.reduce((left, [, ns]) => left - ns, all);
  if (parts.length === 0) return `Shown: all ${formatNs(whole)}`;
  const words = parts.map(([label, ns]) => `${label} ${formatNs(ns)} (${formatShare(ns, whole)})`).join(', ');
  return `Shown: ${formatNs(shown)} of ${formatNs(whole)}; hidden: ${words}`;
}
