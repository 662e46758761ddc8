import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readGoFunctions } from '../../parsers/gopclntab.ts';
import { cases } from '../effort.ts';
import { lacks } from '../optional-tools.ts';
import { elfOf, fileSource, output, temporaryFolder } from '../unit/parsers/elf-files.ts';
import { readelfFunctions } from './elf-oracle.ts';

const GO = `
package main
import "fmt"
type T struct{ n int }
//go:noinline
func (t *T) Method(x int) int { return t.n + x }
//go:noinline
func generic[E any](e E) string { return fmt.Sprint(e) }
func main() { t := &T{3}; fmt.Println(t.Method(4), generic("x"), func() int { return t.n }()) }
`;

describe.skipIf(lacks('go'))('a program built by this version of Go', () => {
  // The other variants first compile all of Go's own packages.
  const builds: [string, string[], Record<string, string>][] = cases(
    [['built by default', [], {}]],
    [
      ['position-independent', ['-buildmode=pie'], {}],
      ['of AArch64', [], { GOARCH: 'arm64' }],
      ['of 32 bits', [], { GOARCH: '386' }],
    ],
  );

  test.each(builds)(
    '%s: has its function names, even if it is stripped',
    { timeout: 300_000 },
    (_, options, environment) => {
      const folder = temporaryFolder();
      const text = join(folder, 'main.go');
      writeFileSync(text, GO);
      const [whole, stripped] = [[], ['-ldflags=-s -w']].map((more, index) => {
        const path = join(folder, `program${index}`);
        const env = Object.entries({ GOFLAGS: '', GO111MODULE: 'off', ...environment }).map(
          ([k, v]) => `${k}=${v}`,
        );
        output('env', [...env, 'go', 'build', ...options, ...more, '-o', path, text]);
        return path;
      }) as [string, string];
      const source = fileSource(stripped);
      const table = readGoFunctions(source, elfOf(source));
      const functions = readelfFunctions(whole, elfOf(fileSource(whole))).filter(
        ({ start, end }) => start < end,
      );
      const disagreed = functions.flatMap(({ name, start, end }) =>
        [start, end - 1]
          .map((at) => table.find(at))
          .filter((found) => found?.start !== start || found.name !== inTable(name))
          .map((found) => ({ name, found: found?.name })),
      );
      expect(functions.length).toBeGreaterThan(1000);
      expect(disagreed).toEqual([]);
    },
  );
});

/** Go omits type arguments and calling conventions from the table. */
function inTable(symbol: string): string {
  return symbol.replace(/\.abi0$/, '').replace(/\[.*\]/, '[...]');
}
