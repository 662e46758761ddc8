/**
 * Characters that control a terminal, change the direction of its text, or end a line. Names come from the programs that are
 * watched, and files from anybody.
 */
const CONTROLS = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/gu;
/** The same except a newline. Results can have 100 MB, and ranges are 50 times as fast as properties. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it finds
const CONTROLS_IN_LINES = /[\0-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** A name for a page: one line. */
export function printable(text: string): string {
  return text.replace(CONTROLS, '?');
}

/** JSON of the same value that controls no terminal, with a newline at its end. */
export function jsonText(value: object, indent = 0): string {
  return `${escapeControls(JSON.stringify(value, null, indent))}\n`;
}

/** A text of several lines that may quote what others wrote. */
export function escapeControls(text: string): string {
  return text.replace(CONTROLS_IN_LINES, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
