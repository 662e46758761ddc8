import { describe, expect, test } from 'vitest';
import { generator } from '../../scripts/bench/random.ts';
import { attempts } from '../effort.ts';
import { corpusOf } from '../fuzz/corpus.ts';
import { mutate } from '../fuzz/mutate.ts';
import { TARGETS } from '../fuzz/targets.ts';

describe.each(Object.entries(TARGETS))('the reader of %s', (name, { seeds, read }) => {
  test('reads what once made it fail', () => {
    for (const { name: file, input } of corpusOf(name)) expect(() => read(input), file).not.toThrow();
  });

  test('reads inputs with random changes', () => {
    const [random, inputs] = [generator(1), seeds()];
    expect(inputs.length).toBeGreaterThan(0);
    for (const input of inputs) read(input);
    for (let i = 0; i < attempts(50, 1000); i++)
      read(mutate(inputs[i % inputs.length] as Buffer, random, inputs));
  });
});
