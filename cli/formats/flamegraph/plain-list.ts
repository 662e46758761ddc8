import { frameName, type TimedStack } from '../../../metrics/timed-stacks.ts';
import { formatCount, formatNs, formatShare, plural } from '../../../metrics/units.ts';
import { printable } from '../../plain-text.ts';
import { emptyStackName } from '../folded/folded-stacks.ts';
import { isComparison } from './encode.ts';
import { kindLabel } from './flame-profile.ts';
import type { FlameStack } from './flame-stack.ts';
import { escapeHtml } from './markup.ts';

const MOST_STACKS = 50;
/** Characters of a name, and frames at each end of a stack. */
const MAX_CHARACTERS = 120;
const END_FRAMES = 32;

/** The longest stacks as an HTML list, for browsers without scripts. */
export function plainList(stacks: readonly FlameStack[]): string {
  const all = stacks.reduce((sum, { timeNs }) => sum + timeNs, 0);
  const sorted = [...stacks].sort((a, b) => b.timeNs - a.timeNs);
  const listed = sorted.slice(0, MOST_STACKS);
  const rest = sorted.slice(MOST_STACKS);
  const items = listed.map((stack) => listItem(stack, all, isComparison(stacks)));
  const restNs = rest.reduce((sum, { timeNs }) => sum + timeNs, 0);
  const left =
    rest.length > 0
      ? `<p>Not listed: ${plural(rest.length, 'stack')}, ${formatNs(restNs)} (${formatShare(restNs, all)}).</p>\n`
      : '';
  return `<h2>The ${listed.length === 1 ? 'stack' : `${formatCount(listed.length)} longest stacks`}</h2>
<p>The graph needs a browser with JavaScript. In all: ${formatNs(all)}.</p>
<ol>
${items.join('\n')}
</ol>
${left}`;
}

function listItem(stack: FlameStack, all: number, compares: boolean): string {
  const { timeNs, beforeNs = 0, kind, comm, tid, idle, open } = stack;
  const facts = [
    ...[formatNs(timeNs), formatShare(timeNs, all), kindLabel(kind), `${shortened(comm ?? 'thread')}:${tid}`],
    ...(compares ? [`before ${formatNs(beforeNs)}`] : []),
    ...(idle ? ['idle'] : []),
    ...(open ? ['not ended'] : []),
  ];
  return `<li>${escapeHtml(facts.join(', '))}<br><code>${escapeHtml(chainText(stack))}</code></li>`;
}

/** Root first. */
function chainText({ frames, kind }: TimedStack): string {
  const names = frames.map((frame) => shortened(frameName(frame)));
  const cut = names.length - 2 * END_FRAMES;
  const shown =
    cut > 0
      ? [...names.slice(0, END_FRAMES), `… ${plural(cut, 'frame')} …`, ...names.slice(-END_FRAMES)]
      : names;
  return shown.join(' → ') || emptyStackName(kind);
}

function shortened(text: string): string {
  const characters = Array.from(printable(text.slice(0, 2 * MAX_CHARACTERS)));
  return characters.length > MAX_CHARACTERS
    ? `${characters.slice(0, MAX_CHARACTERS - 1).join('')}…`
    : characters.join('');
}
