/** One mounted filesystem, or a part of one. */
export interface Mount {
  /** `major:minor` in decimal. */
  readonly device: string;
  /** Path within the filesystem that is mounted. */
  readonly root: string;
  /** Where it is mounted. */
  readonly path: string;
}

/**
 * Reads /proc/PID/mountinfo (proc_pid_mountinfo(5)); the last mount on a path is the one that is seen.
 *
 * ```
 * 36 35 98:0 /mnt1 /mnt\0402 rw,noatime master:1 - ext3 /dev/root rw
 * ```
 */
export function parseMountinfo(text: string): Mount[] {
  return [...text.matchAll(/^\d+ \d+ (\d+:\d+) ([^ \n]+) ([^ \n]+) /gm)].map((m) => ({
    device: m[1] as string,
    root: unescapeOctal(m[2] as string),
    path: unescapeOctal(m[3] as string),
  }));
}

/** The kernel spells blanks and backslashes, `\040`. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
