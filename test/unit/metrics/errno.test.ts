import { expect, test } from 'vitest';
import { errnoName } from '../../../metrics/errno.ts';

test.each([
  [2, 'ENOENT'],
  [11, 'EAGAIN'],
  [133, 'EHWPOISON'],
  [516, 'ERESTART_RESTARTBLOCK'],
  [999, 'errno_999'],
])('errno %i is %s', (errno, name) => {
  expect(errnoName(errno)).toBe(name);
});
