import { describe, expect, test } from 'vitest';
import { announceProgram, MAPPING_TRACEPOINTS, mappingEvents } from '../../../bt/mapping-events.ts';
import { readLine } from '../../../parsers/stream.ts';

const { clauses, maps, begin } = mappingEvents();
const [enter, exit] = clauses;
const program = announceProgram();

/** The fields that an event prints, in order and without casts. */
function printed(body: readonly string[], type: string): string[] {
  const [, values] = new RegExp(`print\\(\\("${type}", (.*)\\)\\);`).exec(body.join('\n')) ?? [];
  return (values ?? '').replaceAll('(uint64)', '').split(', ');
}

test('the tracepoints are those that it attaches to', () => {
  expect(clauses.map((clause) => clause.attach)).toEqual(
    MAPPING_TRACEPOINTS.map((name) => `tracepoint:${name}`),
  );
});

test('the maps are internal, and are declared before they are read', () => {
  expect(maps.map((map) => [map.name, map.role, map.key, map.value])).toEqual([
    ['@mapping', 'helper', 1, 4],
    ['@files', 'helper', 2, 1],
  ]);
  expect(begin).toEqual([
    '@mapping[(uint64)0] = ((uint64)0, (uint64)0, (uint64)0, (uint64)0);',
    'delete(@mapping[(uint64)0]);',
  ]);
});

describe('a mapping', () => {
  test('is printed for followed processes if it is executable and backed by a file', () => {
    expect(enter?.condition).toBe('@gen[(uint64)pid] && (args->prot & 4) && (args->flags & 0x20) == 0');
  });

  test('is printed with the address that mmap returned, unless that is an error, and then deleted', () => {
    expect(exit?.condition).toBe('@mapping[(uint64)tid].0');
    expect(exit?.body).toContain('if ($start > 0) {');
    expect(exit?.body.at(-1)).toBe('delete(@mapping[(uint64)tid]);');
  });

  test('has the arguments of the call', () => {
    expect(enter?.body).toContain(
      '@mapping[(uint64)tid] = ((uint64)args->len, (uint64)args->off, $dev, $ino);',
    );
    expect(printed(exit?.body ?? [], 'mapping')).toEqual([
      'nsecs',
      'pid',
      '@gen[pid]',
      '$start',
      '$m.0',
      '$m.1',
      '$m.2',
      '$m.3',
    ]);
  });
});

describe('a program', () => {
  test('is printed with its address and its file', () => {
    expect(printed(program, 'image')).toEqual([
      'nsecs',
      'pid',
      '@gen[pid]',
      'curtask->mm->start_code',
      '$dev',
      '$ino',
    ]);
  });

  test('is printed with ten pairs of the auxiliary vector, in order', () => {
    const [pid, generation, ...words] = printed(program, 'auxv');
    expect([pid, generation]).toEqual(['pid', '@gen[pid]']);
    expect(words).toEqual(Array.from({ length: 20 }, (_, i) => `curtask->mm->saved_auxv[${i}]`));
  });
});

describe('the path of a file', () => {
  test.each([
    ['a mapping', enter?.body ?? []],
    ['a program', program],
  ])('of %s is printed once, before the file is used', (_, body) => {
    const lines = body.map((line) => line.trim());
    expect(lines.filter((line) => line.includes('"path"'))).toHaveLength(1);
    const printedAt = lines.findIndex((line) => line.includes('"path"'));
    expect(lines.indexOf('if (@files[$dev, $ino] == 0) {')).toBeLessThan(printedAt);
    expect(lines.indexOf('@files[$dev, $ino] = 1;')).toBeLessThan(printedAt);
    expect(lines.findIndex((line) => /"image"|@mapping/.test(line))).toBeGreaterThan(printedAt);
  });
});

test.each(['image', 'auxv', 'mapping', 'path'])('an event %s is read as printed', (type) => {
  const values = printed([...(exit?.body ?? []), ...program], type);
  const text = values.map((value) => (value.startsWith('str(') ? '"name"' : '7')).join(',');
  expect(readLine(`{"type": "value", "data": ["${type}",${text}]}`)).toMatchObject({
    kind: 'event',
    event: { type },
  });
});
