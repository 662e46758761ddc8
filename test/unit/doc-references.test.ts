import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';

const DOCUMENTS = [
  ...['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md'],
  ...readdirSync('docs', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

const SCRIPTS = JSON.parse(readFileSync('package.json', 'utf8')).scripts as Record<string, string>;

describe.each(DOCUMENTS)('%s', (path) => {
  const text = readFileSync(path, 'utf8');

  test('links to files and headings that exist', () => {
    const broken = linksOf(text).filter((link) => !isThere(link, path));
    expect(broken).toEqual([]);
  });

  test('refers to files of this repository that exist', () => {
    // NAME and VERSION are placeholders.
    const paths = matches(
      text,
      /(?<![\w/.-])((?:bt|cli|metrics|parsers|scripts|test|fixtures)\/[\w./-]*\w)/g,
    );
    expect(paths.filter((name) => !/[A-Z]{4}/.test(name) && !existsSync(name))).toEqual([]);
  });

  test('refers to scripts of package.json that exist', () => {
    expect(matches(text, /npm run ([a-z:-]+)/g).filter((name) => !(name in SCRIPTS))).toEqual([]);
  });

  test('refers to maps that exist in some program', () => {
    const names = matches(text, /`(@[a-z_]{2,})/g);
    expect(names.filter((name) => !new RegExp(`${name}\\b`).test(programs()))).toEqual([]);
  });

  test('shows options that their commands have', () => {
    const unknown = commandsOf(text).flatMap(({ line, name, options }) =>
      options.filter((option) => !helpOf(name).includes(option)).map((option) => `${option} in: ${line}`),
    );
    expect(unknown).toEqual([]);
  });
});

test('README links to each document once', () => {
  const links = linksOf(readFileSync('README.md', 'utf8')).map((link) => link.replace(/#.*/, ''));
  const all = readdirSync('docs').filter((name) => /\.md$|^schema\.json$/.test(name));
  const documents = [
    ...['CONTRIBUTING.md', 'CHANGELOG.md', 'docs/examples/README.md'],
    ...all.map((name) => `docs/${name}`),
  ];
  const counts = documents.map((document) => [document, links.filter((link) => link === document).length]);
  expect(counts).toEqual(documents.map((document) => [document, 1]));
});

test('docs/json.md and docs/diff.md describe every field of the JSON Schema', () => {
  const words = new Set(
    ['json', 'diff'].flatMap((name) => readFileSync(`docs/${name}.md`, 'utf8').match(/\w+/g)),
  );
  const schema = JSON.parse(readFileSync('docs/schema.json', 'utf8'));
  expect([...fieldsOf(schema)].filter((field) => !words.has(field))).toEqual([]);
});

function matches(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, found]) => found as string);
}

/** Targets of links within the repository. */
function linksOf(text: string): string[] {
  return matches(text, /\]\(([^)\s]+)\)/g).filter((link) => !/^[a-z]+:/.test(link));
}

function isThere(link: string, from: string): boolean {
  const [file = '', heading] = link.split('#');
  const path = file === '' ? from : join(dirname(from), file);
  if (!existsSync(path)) return false;
  return heading === undefined || anchorsOf(readFileSync(path, 'utf8')).includes(heading);
}

/** Anchors of headings, as GitHub generates them. */
function anchorsOf(text: string): string[] {
  return matches(text, /^#+ (.*)$/gm).map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

interface ShownCommand {
  readonly line: string;
  readonly name: string;
  readonly options: readonly string[];
}

/** Commands of btprof in code blocks, with the options before the profiled command. */
function commandsOf(text: string): ShownCommand[] {
  const blocks = matches(text, /^```(?:sh|console|yaml)\n([\s\S]*?)^```/gm);
  const lines = blocks.flatMap((block) => block.replace(/\\\n\s*|\$\([^)]*\)/g, ' ').split('\n'));
  return lines.flatMap((line) =>
    [...line.matchAll(/\bbtprof (run|attach|system|report|diff|script|demo|doctor)\b([^|;&#]*)/g)].map(
      ([, name = '', words = '']) => ({
        ...{ line, name },
        options: matches(words.replace(/ -- .*/, ''), /(?<=\s)(--[a-z-]+|-[a-z])(?=[\s=\]]|$)/g),
      }),
    ),
  );
}

function helpOf(name: string): string[] {
  return readFileSync(`fixtures/help/${name}.txt`, 'utf8').match(/(?<=[\s'])--?[a-z][a-z-]*/g) ?? [];
}

let allPrograms: string | undefined;
function programs(): string {
  allPrograms ??= readdirSync('fixtures/programs', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.bt'))
    .map((name) => readFileSync(join('fixtures/programs', name), 'utf8'))
    .join('\n');
  return allPrograms;
}

/** Field names of all objects in a JSON Schema. */
function fieldsOf(schema: unknown, found = new Set<string>()): Set<string> {
  if (typeof schema !== 'object' || schema === null) return found;
  const { properties } = schema as { readonly properties?: object };
  for (const field of Object.keys(properties ?? {})) found.add(field);
  for (const value of Object.values(schema)) fieldsOf(value, found);
  return found;
}
