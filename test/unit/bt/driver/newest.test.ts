import { describe, expect, test } from 'vitest';
import { newNewest } from '../../../../bt/driver/newest.ts';

/** Takes values, and yields to other tasks between them. */
async function taken(values: AsyncIterable<number>, between: (value: number) => void = () => undefined) {
  const all: number[] = [];
  for await (const value of values) {
    all.push(value);
    between(value);
  }
  return all;
}

describe('a slot for the newest value', () => {
  test('passes each value to a waiting consumer', async () => {
    const { put, end, values } = newNewest<number>();
    const all = taken(values, (value) => (value < 3 ? put(value + 1) : end()));
    put(1);
    expect(await all).toEqual([1, 2, 3]);
  });

  test('replaces a value that was not taken', async () => {
    const { put, end, values } = newNewest<number>();
    const all = taken(values, (value) => {
      if (value !== 1) return;
      for (const newer of [2, 3, 4]) put(newer);
      end();
    });
    put(1);
    expect(await all).toEqual([1, 4]);
  });

  test('passes the last value after the end, and then ends', async () => {
    const { put, end, values } = newNewest<number>();
    put(1);
    end();
    expect(await taken(values)).toEqual([1]);
  });

  test('ends a waiting consumer', async () => {
    const { end, values } = newNewest<number>();
    const all = taken(values);
    end();
    expect(await all).toEqual([]);
  });
});
