import type { FlameProfile, KindColour } from '../flame-profile.ts';
import { changeOf, mainKind } from '../tree-sums.ts';
import type { Tree } from '../tree-types.ts';

const LIGHTNESS = { light: 0.83, dark: 0.43 };
/** Kernel frames are paler and darker, and hatched. */
const KERNEL = { lightness: -0.06, chroma: 0.6 };
/** Makes neighbouring frames distinguishable. */
const SHADES = [0, 0.022, -0.022];

export function kindColour([hue, chroma]: KindColour, dark: boolean, kernel = false, shade = 0): string {
  const lightness =
    LIGHTNESS[dark ? 'dark' : 'light'] + (SHADES[shade] ?? 0) + (kernel ? KERNEL.lightness : 0);
  const strength = chroma * (kernel ? KERNEL.chroma : 1) * (dark ? 0.85 : 1);
  return oklch(lightness, strength, hue);
}

/** The change with the strongest colour: a quarter of all. */
export const FULL_CHANGE = 0.25;

/** Red for more, blue for less, grey for no change. Small changes are visible too. */
export function changeColour(change: number, dark: boolean): string {
  const strength = Math.sqrt(Math.min(1, Math.abs(change) / FULL_CHANGE));
  const lightness = dark ? 0.34 + 0.14 * strength : 0.92 - 0.2 * strength;
  return oklch(lightness, 0.15 * strength, change > 0 ? 25 : 255);
}

/** Computes the colours of frames once, and caches them. */
export function frameColours(profile: FlameProfile, tree: Tree, dark: boolean) {
  const known = new Map<number, string>();
  const make = (node: number) => {
    const index = tree.frame[node] as number;
    const kind = profile.frames[index]?.kind;
    if (profile.stacks.beforeNs) return changeColour(changeOf(tree, node), dark);
    if (kind === 'group' && (index < profile.groups.kind || index === profile.groups.root))
      return dark ? oklch(0.31, 0.005, 260) : oklch(0.91, 0.005, 260);
    const shade = (index * 7) % SHADES.length;
    return kindColour(profile.colours[mainKind(tree, node)] ?? [0, 0], dark, kind === 'kernel', shade);
  };
  return (node: number): string => {
    const colour = known.get(node) ?? make(node);
    known.set(node, colour);
    return colour;
  };
}

function oklch(lightness: number, chroma: number, hue: number): string {
  return `oklch(${lightness.toFixed(3)} ${chroma.toFixed(3)} ${hue})`;
}
