import { createHash } from 'node:crypto';
import client from 'virtual:flamegraph-client';
import type { TimedStack } from '../../../metrics/timed-stacks.ts';
import { printable } from '../../page.ts';
import { encodeProfile } from './encode.ts';
import { APP, escapeHtml } from './markup.ts';
import { plainList } from './plain-list.ts';

export interface FlameGraphOptions {
  readonly title: string;
  readonly subtitle: string;
  /** Sentences below the title: what is not in the picture. */
  readonly notes: readonly string[];
}

/** A stack, and for a comparison what it was before. */
export interface FlameStack extends TimedStack {
  /** Of the same stack, ns. When any stack has it, colours tell what grew and what shrank. */
  readonly beforeNs?: number;
}

/**
 * A flame graph as one HTML file, which asks the network for nothing. Names stand in packed data and in escaped text
 * only, and the browser runs no script but ours.
 */
export function flamegraphView(stacks: readonly FlameStack[], options: FlameGraphOptions): string {
  const title = escapeHtml(printable(options.title));
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy()}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${client.style}</style>
</head>
<body>
<header><h1>${title}</h1>
<p>${escapeHtml(printable(options.subtitle))}</p>
${notesList(options.notes)}</header>
${stacks.length === 0 ? NOTHING : content(stacks)}
</body>
</html>
`;
}

const NOTHING = '<p>Nothing waited: there is no stack to draw.</p>';

function content(stacks: readonly FlameStack[]): string {
  return `${APP}
<script id="data" type="application/gzip;base64">${encodeProfile(stacks)}</script>
<script>${client.script}</script>
<section id="list">
${plainList(stacks)}</section>`;
}

function notesList(notes: readonly string[]): string {
  if (notes.length === 0) return '';
  return `<ul>${notes.map((note) => `<li>${escapeHtml(printable(note))}</li>`).join('')}</ul>\n`;
}

/** Our script and our style, by their hashes, and nothing else. */
function policy(): string {
  const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  return [
    "default-src 'none'",
    `script-src ${hash(client.script)}`,
    `style-src ${hash(client.style)}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
}
