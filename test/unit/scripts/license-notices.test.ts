import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { licenseNotices } from '../../../scripts/license-notices.ts';

test('each package of a bundle is listed once, with its license', () => {
  const files = ['cli/main.ts', 'node_modules/zod/v4/core/api.js', 'node_modules/zod/v4/core/util.js'];
  const text = licenseNotices([...files, 'node_modules/split2/index.js']);
  expect(text.match(/^\S+ \d+\.\d+\.\d+ \(.*\)$/gm)).toEqual([
    expect.stringMatching(/^split2 .* \(ISC\)$/),
    expect.stringMatching(/^zod .* \(MIT\)$/),
  ]);
  expect(text).toMatch(/Permission is hereby granted, free of charge/);
});

test('a package inside another one counts for itself, and one without a license is an error', () => {
  const dir = mkdtempSync(join(tmpdir(), 'btprof-licenses-'));
  const inner = join(dir, 'node_modules/outer/node_modules/@some/inner');
  mkdirSync(inner, { recursive: true });
  const write = (text: object) => writeFileSync(join(inner, 'package.json'), JSON.stringify(text));
  write({ name: '@some/inner', version: '1.2.3', license: 'MIT', author: 'A. Uthor' });
  expect(licenseNotices([`${inner}/lib/x.js`])).toMatch(/@some\/inner 1\.2\.3 \(MIT\)\n\nAuthor: A\. Uthor/);
  write({ name: '@some/inner', version: '1.2.3' });
  expect(() => licenseNotices([`${inner}/lib/x.js`])).toThrow(/inner has no license$/);
  rmSync(dir, { recursive: true });
});
