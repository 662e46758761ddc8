/**
 * Decodes a string that bpftrace printed byte by byte. On x86 it sign-extends bytes above 0x7f: 0xC3 arrives as
 * `\uffffffc3`, which JSON reads as U+FFFF and the letters `ffc3`.
 */
export function decodeBytes(text: string): string {
  return text.replace(/(?:\uffffff[0-9a-f]{2})+/gi, (run) => {
    const bytes = run.match(/\uffffff[0-9a-f]{2}/gi) ?? [];
    return Buffer.from(bytes.map((b) => Number.parseInt(b.slice(3), 16))).toString('utf8');
  });
}
