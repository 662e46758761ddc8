import { type CallId, callInProgress, callOf } from '../../../metrics/syscall-name.ts';
import { type Codec, id, word } from '../../map-reader.ts';
import { counts, extremes, record, sums } from '../../maps.ts';

/** A call's number; that of a 32-bit call has COMPAT_BIT added. */
const call: Codec<CallId> = { pattern: '-?\\d{1,10}', read: (digits) => callOf(Number(digits)) };

/** The number of a call in progress, as stored in the map. */
const numberInProgress: Codec<CallId> = {
  pattern: '\\d{1,10}',
  read: (digits) => callInProgress(Number(digits)),
};

/** The largest errno: a call that returns −4095 to −1 failed (linux/err.h). */
export const MAX_ERRNO = 4095;
const small: Codec<number> = { pattern: '\\d{1,5}', read: Number };
const errno: Codec<number> = {
  pattern: '\\d{1,4}',
  read: (digits) => (Number(digits) <= MAX_ERRNO ? Number(digits) : undefined),
};

/** How often each process entered each call. */
export const calls = counts('@calls', { pid: id, call });

/** Processes with a seccomp filter, by the number of their threads that ended. */
export const filtered = counts('@filtered', { pid: id }, { oneWriter: true });

/**
 * How long calls took, ns. The CPU is part of the key: no other CPU makes such a key, so no first value is lost.
 */
export const times = sums('@times', { call: numberInProgress, cpu: small });
/** The longest call, ns. */
export const slowest = extremes('@slowest', { call: numberInProgress, cpu: small });
/** How often calls failed, by errno. */
export const errors = counts('@errors', { call: numberInProgress, errno });
/** The call that each thread is in, and when it began, ns. */
export const inProgress = record(
  '@call',
  { tid: id },
  { since: word, call: numberInProgress },
  { role: 'leftover', reportsFull: true },
);
