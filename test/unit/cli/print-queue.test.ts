import { describe, expect, test } from 'vitest';
import { newPrintQueue } from '../../../cli/print-queue.ts';
import { readLine } from '../../../parsers/stream.ts';

const event = (type: string, at: number) => `{"type": "value", "data": ["${type}",${at}]}`;
const map = (count: number) => `{"type": "map", "data": {"@calls": {"5,1": ${count}}}}`;
const fork = (at: number) => `{"type": "value", "data": ["fork",${at},5,6,1]}`;
const print = (at: number) => [event('tick', at - 1), map(at), event('tock', at)];

function newCapture(hasSpace = () => true) {
  const written: string[] = [];
  const queue = newPrintQueue((text) => written.push(text), hasSpace);
  const add = (...texts: string[]) => {
    for (const text of texts) queue.add(text, readLine(text));
  };
  return { ...queue, written, add };
}

describe('lines of a capture', () => {
  test('without prints are written immediately', () => {
    const { written, add } = newCapture();
    add(event('ready', 1), fork(2), event('stop', 3), map(4), event('end', 5));
    expect(written).toEqual([event('ready', 1), fork(2), event('stop', 3), map(4), event('end', 5)]);
  });

  test('wait behind a print until the symbols of its sample are written', () => {
    const { written, add, take } = newCapture();
    add(fork(1), ...print(3), fork(4));
    expect(written).toEqual([fork(1)]);
    const finish = take(3);
    add(fork(5));
    finish?.(() => written.push('symbols'));
    expect(written).toEqual([fork(1), ...print(3), 'symbols', fork(4), fork(5)]);
  });

  test('of a print replaced by a newer one are omitted, but the events between them are written', () => {
    const { written, add, take } = newCapture();
    add(...print(3), fork(4), ...print(6));
    expect(take(3)).toBeUndefined();
    take(6)?.(() => written.push('symbols'));
    expect(written).toEqual([fork(4), ...print(6), 'symbols']);
  });

  test('of the print whose sample is in progress are kept, whatever comes meanwhile', () => {
    const { written, add, take } = newCapture();
    add(...print(3));
    const finish = take(3);
    add(...print(6), ...print(9));
    finish?.(() => written.push('first'));
    take(9)?.(() => written.push('second'));
    expect(written).toEqual([...print(3), 'first', ...print(9), 'second']);
  });

  test('of a print without a sample are omitted at the end', () => {
    const { written, add, end } = newCapture();
    add(...print(3), event('stop', 4), map(5), event('end', 6));
    end();
    expect(written).toEqual([event('stop', 4), map(5), event('end', 6)]);
  });

  test('of a print beyond the size limit are omitted and counted, but not the events in it or the end', () => {
    const { written, add, take, refused } = newCapture(() => false);
    add(event('tick', 1), map(2), fork(3), event('tock', 4), event('stop', 5), map(6), event('end', 7));
    expect(take(4)).toBeUndefined();
    expect(written).toEqual([fork(3), event('stop', 5), map(6), event('end', 7)]);
    expect(refused()).toBe(1);
  });

  test('of the end are written even if the last print is incomplete', () => {
    const { written, add, end } = newCapture(() => false);
    add(event('tick', 1), map(2), event('stop', 5), map(6), event('end', 7));
    end();
    expect(written).toEqual([event('stop', 5), map(6), event('end', 7)]);
  });
});
