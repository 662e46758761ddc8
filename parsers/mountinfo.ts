/** A mounted filesystem, or a mounted part of one. */
export interface Mount {
  readonly id: number;
  /** `major:minor` in decimal. */
  readonly device: string;
  /** Path within the filesystem, of the part that is mounted. */
  readonly root: string;
  /** Where it is mounted. */
  readonly path: string;
  /** Such as `ext4`. */
  readonly type: string;
}

/**
 * Reads /proc/PID/mountinfo (proc_pid_mountinfo(5)). Of several mounts on a path, the last one is visible.
 *
 * ```
 * 36 35 98:0 /mnt1 /mnt\0402 rw,noatime master:1 - ext3 /dev/root rw
 * ```
 */
export function parseMountinfo(text: string): Mount[] {
  return [...text.matchAll(ROW)].map((m) => ({
    id: Number(m[1]),
    device: m[2] as string,
    root: unescapeOctal(m[3] as string),
    path: unescapeOctal(m[4] as string),
    type: m[5] as string,
  }));
}

/** The optional fields end with a single `-`. */
const ROW = /^(\d+) \d+ (\d+:\d+) ([^ \n]+) ([^ \n]+) [^\n]*? - ([^ \n]+)/gm;

/** Undoes the kernel's escapes of blanks and backslashes, such as `\040`. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
