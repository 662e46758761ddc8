import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PROFILERS } from '../../bt/profilers/profiler-registry.ts';

/** The layers in order. Each may import itself and those after it. */
const LAYERS = ['cli', 'bt', 'metrics', 'parsers'] as const;

const FILES = LAYERS.flatMap(sourcesIn);
const IMPORTS = new Map(FILES.map((file) => [file, importsOf(file)]));

function sourcesIn(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return files.filter((file) => /(?<!\.d)\.ts$/.test(file)).map((file) => join(folder, file));
}

/** Project files that a file imports, including type imports and dynamic imports. */
function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8').replace(/declare module '[^']*'/g, '');
  const specifiers = [...text.matchAll(/(?:\bfrom |\bimport\(|\bimport )'(\.[^']*\.ts)'/g)];
  return specifiers.map(([, path]) => relative('.', join(dirname(file), path as string)));
}

function layerOf(file: string): number {
  return LAYERS.findIndex((layer) => file.startsWith(`${layer}/`));
}

describe('imports', () => {
  test('are found by this test', () => {
    expect(FILES.length).toBeGreaterThan(100);
    expect(IMPORTS.get('metrics/profile.ts')).toContain('parsers/entries.ts');
    expect(importsOf('cli/formats/json.ts')).toContain('metrics/profile-diff.ts');
  });

  test('only go from cli to bt to metrics to parsers', () => {
    const back = [...IMPORTS].flatMap(([file, imports]) =>
      imports.filter((imported) => layerOf(imported) < layerOf(file)).map((to) => `${file} -> ${to}`),
    );
    expect(back).toEqual([]);
  });

  test('of metrics and parsers are pure: no Node modules, and no packages except zod', () => {
    const impure = FILES.filter((file) => /^(metrics|parsers)\//.test(file)).flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/(?:\bfrom |\bimport\()'([^.'][^']*)'/g)]
        .map(([, name]) => name as string)
        .filter((name) => name !== 'zod')
        .map((name) => `${file} -> ${name}`),
    );
    expect(impure).toEqual([]);
  });

  test('form no cycles', () => {
    expect(cycles()).toEqual([]);
  });
});

/** One line per cycle, with the files on it. */
function cycles(): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file);
    if (at >= 0) found.push([...path.slice(at), file].join(' -> '));
    if (at >= 0 || done.has(file)) return;
    for (const imported of IMPORTS.get(file) ?? []) visit(imported, [...path, file]);
    done.add(file);
  };
  for (const file of FILES) visit(file, []);
  return found;
}

describe.each(PROFILERS)('$name', ({ name, maps }) => {
  // `syscalls:sys_enter_mmap` is a tracepoint.
  const ownName = `(?<![\\w-])${name}(?![\\w-]|:sys_)`;
  const ownMaps = maps.map((map) => `${map.name}(?!\\w)`);
  const mention = new RegExp([ownName, ...ownMaps].join('|'));

  test('is mentioned only by its own files and the registry, and so are its maps', () => {
    const mentions = FILES.filter((file) => !isOwn(file, name)).flatMap((file) =>
      codeLines(file)
        .filter((line) => mention.test(line))
        .map((line) => `${file}: ${line.trim()}`),
    );
    expect(mentions).toEqual([]);
  });
});

/** Files of a profiler, and the line that registers it. */
function isOwn(file: string, name: string): boolean {
  return file === 'bt/profilers/profiler-registry.ts' || file.startsWith(`bt/profilers/${name}`);
}

/** Lines of a file, without comments and without descriptions in the JSON Schema. */
function codeLines(file: string): string[] {
  const text = readFileSync(file, 'utf8').replace(
    /\/\*[\s\S]*?\*\/|\.describe\(\s*(['"])(?:(?!\1)[\s\S])*\1,?\s*\)/g,
    '',
  );
  return text.split('\n').map((line) => line.replace(/(^|\s)\/\/.*$/, ''));
}
