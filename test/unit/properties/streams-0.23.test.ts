import { test } from 'vitest';
import { checkStreams } from './streams.ts';

test('33,334 mutated streams of bpftrace 0.23', { timeout: 600_000 }, () => checkStreams('0.23', 33_334));
