import type { Change, Figure } from '../../../metrics/noise.ts';
import { formatCount } from '../../../metrics/units.ts';

/** How figures of one unit are written. */
export type FormatNumber = (value: number) => string;

/** The median of two counts may lie between them. */
export const asCount: FormatNumber = (count) => formatCount(Math.round(count * 10) / 10);

/** `+1.2 ms`, `-17`, `0`. */
export function signed(value: number, format: FormatNumber): string {
  if (value === 0) return '0';
  return value > 0 ? `+${format(value)}` : format(value);
}

/** `+12.3 %`, `x 14.2` from ten times on, `new`, `gone`; nothing where a share says nothing. */
export function relativeChange({ before, after, change, relative }: Omit<Change, 'noise'>): string {
  if (change === 0) return '';
  if (before.median === 0) return 'new';
  if (after.median === 0) return 'gone';
  if (relative === null) return '';
  if (relative >= 9) return `x ${(relative + 1).toFixed(1)}`;
  const percent = (relative * 100).toFixed(1);
  return Number(percent) === 0 ? '0.0 %' : `${relative > 0 ? '+' : ''}${percent} %`;
}

/** `1.10..1.30 s`, `9..11`: the least and the most of several runs. */
export function range({ min, max }: Figure, format: FormatNumber): string {
  const [from, to] = [format(min), format(max)];
  const [number, unit] = [from.split(' '), to.split(' ')] as [string[], string[]];
  const sameUnit = number.length === 2 && unit.length === 2 && number[1] === unit[1];
  return from === to ? to : `${sameUnit ? number[0] : from}..${to}`;
}
