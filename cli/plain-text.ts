/**
 * Characters that control a terminal, change the direction of its text, or end a line. Names come from the programs that are
 * watched, and files from anybody.
 */
const CONTROLS = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/gu;

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
  return text.replace(CONTROLS, (c) =>
    c === '\n' ? c : `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
