import { createHash } from 'node:crypto';
import client from 'virtual:flamegraph-client';
import { printable } from '../../plain-text.ts';
import { encodeProfile } from './encode.ts';
import type { KindColours, KindEvents } from './flame-profile.ts';
import type { FlameStack } from './flame-stack.ts';
import { APP, escapeHtml } from './markup.ts';
import { plainList } from './plain-list.ts';

export interface FlameGraphOptions {
  readonly title: string;
  readonly subtitle: string;
  /** Sentences below the title that tell what the picture leaves out. */
  readonly notes: readonly string[];
  /** Of the kinds of time. */
  readonly colours: KindColours;
  readonly events: KindEvents;
}

/**
 * Makes a flame graph as one HTML file that needs no network. Names appear only in compressed data and in escaped text,
 * and the browser runs only our script.
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
${stacks.length === 0 ? NOTHING : content(stacks, options)}
</body>
</html>
`;
}

const NOTHING = '<p>There is no stack to draw.</p>';

function content(stacks: readonly FlameStack[], { colours, events }: FlameGraphOptions): string {
  return `${APP}
<script id="data" type="application/gzip;base64">${encodeProfile(stacks, colours, events)}</script>
<script>${client.script}</script>
<section id="list">
${plainList(stacks)}</section>`;
}

function notesList(notes: readonly string[]): string {
  if (notes.length === 0) return '';
  return `<ul>${notes.map((note) => `<li>${escapeHtml(printable(note))}</li>`).join('')}</ul>\n`;
}

/** Allows our script and our style, by their hashes, and nothing else. */
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
