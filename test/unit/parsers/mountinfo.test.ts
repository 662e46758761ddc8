import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseMountinfo } from '../../../parsers/mountinfo.ts';

/** Rows as in proc_pid_mountinfo(5), and from a host with containers. */
const TEXT = String.raw`36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
101 27 0:52 / /var/lib/docker/overlay2/6f/merged rw,relatime shared:9 master:3 - overlay overlay rw,lowerdir=/a:/b
102 27 254:0 /srv/my\040data /mnt/tab\011new\012line\134back rw - ext4 /dev/vda rw
103 27 0:53 /@home /home rw - btrfs /dev/vdb rw,subvol=/@home
`;

test('a mount has its number, its device, its root within that, its path and its type', () => {
  expect(parseMountinfo(TEXT)).toEqual([
    { id: 36, device: '98:0', root: '/mnt1', path: '/mnt2', type: 'ext3' },
    { id: 27, device: '254:0', root: '/', path: '/', type: 'ext4' },
    { id: 101, device: '0:52', root: '/', path: '/var/lib/docker/overlay2/6f/merged', type: 'overlay' },
    { id: 102, device: '254:0', root: '/srv/my data', path: '/mnt/tab\tnew\nline\\back', type: 'ext4' },
    { id: 103, device: '0:53', root: '/@home', path: '/home', type: 'btrfs' },
  ]);
});

describe('a name', () => {
  test.each([
    ['an octal number in it', String.raw`/mnt/\134040`, String.raw`/mnt/\040`],
    ['a number sign', String.raw`/mnt/\043x`, '/mnt/#x'],
    ['letters of other scripts', '/mnt/café 世界'.replace(' ', String.raw`\040`), '/mnt/café 世界'],
    ['a dash as in the end of the row', '/mnt/-', '/mnt/-'],
  ])('with %s is decoded', (_, printed, path) => {
    expect(parseMountinfo(`36 35 98:0 / ${printed} rw - ext3 /dev/root rw\n`)).toEqual([
      { id: 36, device: '98:0', root: '/', path, type: 'ext3' },
    ]);
  });
});

/** The kernel escapes only ASCII blanks. */
test.each(['\u00a0', '\u3000', '\u2028'])('a name with %j is unchanged', (blank) => {
  expect(parseMountinfo(`36 35 98:0 / /mnt/a${blank}b rw - ext3 /dev/root rw\n`)).toEqual([
    { id: 36, device: '98:0', root: '/', path: `/mnt/a${blank}b`, type: 'ext3' },
  ]);
});

test.each(['', '\n', 'garbage\n', '36 35 98:0 /mnt1', '36 35 98 / / rw - ext3 x rw\n'])(
  '%j has no mounts',
  (text) => {
    expect(parseMountinfo(text)).toEqual([]);
  },
);

test.skipIf(process.platform !== 'linux')('all mounts of this machine are read, including the root', () => {
  const text = readFileSync('/proc/self/mountinfo', 'utf8');
  const mounts = parseMountinfo(text);
  expect(mounts).toHaveLength(text.trimEnd().split('\n').length);
  expect(mounts.map((mount) => mount.path)).toContain('/');
});
