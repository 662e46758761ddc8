import { execa } from 'execa';
import type { Run, Step } from '../../fake/bpftrace.ts';
import { untilPrints } from '../../fake/processes.ts';
import { eventLine, mapLine, sumEntry } from '../printed-lines.ts';

/** Two threads that do nothing. The fake bpftrace reports futex calls that they never made, in functions that exist. */
const SOURCE = `
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static void take_lock(void) { for (;;) pause(); }
static int worker;
static void *worker_loop(void *arg) {
  pthread_setname_np(pthread_self(), "worker");
  __atomic_store_n(&worker, gettid(), __ATOMIC_SEQ_CST);
  take_lock();
  return arg;
}
int main(void) {
  pthread_t thread;
  pthread_create(&thread, 0, worker_loop, 0);
  while (!__atomic_load_n(&worker, __ATOMIC_SEQ_CST)) usleep(1000);
  printf("{\\"worker\\": %d, \\"take_lock\\": %ld, \\"worker_loop\\": %ld, \\"main\\": %ld}\\n",
         worker, (long)take_lock, (long)worker_loop, (long)main);
  fflush(stdout);
  take_lock();
}
`;

export interface App {
  readonly path: string;
  readonly pid: number;
  /** The tid of its other thread. */
  readonly worker: number;
  /** User stacks as printed by bpftrace. */
  readonly stacks: { readonly main: string; readonly worker: string };
  readonly end: () => void;
}

/** Compiles the program in a directory and starts it. */
export async function startApp(dir: string): Promise<App> {
  const path = `${dir}/app`;
  await execa({ input: SOURCE })`gcc -x c - -w -O0 -fno-omit-frame-pointer -pthread -o ${path}`;
  const child = execa(path, { reject: false });
  const { worker, take_lock, worker_loop, main } = JSON.parse(await untilPrints(child.stdout, '\n'));
  const stack = (caller: number) => [take_lock, caller].map((start) => `\\n${(start + 9).toString(16)}`);
  return {
    ...{ path, pid: child.pid as number, worker },
    stacks: { main: `${stack(main).join('')}\\n`, worker: `${stack(worker_loop).join('')}\\n` },
    end: () => child.kill('SIGKILL'),
  };
}

/** No function is at this address, so it has no name for root either. */
const KERNEL = '\\nfffffffffffff010\\n';

/** The lines that bpftrace 0.23 prints for the two maps that only grow; keys are JSON strings. */
function prints({ pid, worker, stacks }: App, { calls, ns }: Totals, mainCalls: number): string[] {
  const entries = [
    sumEntry('WORKER', calls, ns),
    ...(mainCalls ? [sumEntry('MAIN', mainCalls, mainCalls * 11e6)] : []),
  ];
  const buckets = [
    { min: 1048576, max: 2097151, count: 2 },
    { min: 2097152, max: 4194303, count: calls - 2 },
    ...(mainCalls ? [{ min: 8388608, max: 16777215, count: mainCalls }] : []),
  ];
  return [
    mapLine('@futex_calls', entries)
      .replace('WORKER', `${worker},${pid},1,${KERNEL},${stacks.worker}`)
      .replace('MAIN', `${pid},${pid},1,${KERNEL},${stacks.main}`),
    mapLine('@futex_took', [{ key: '0', value: buckets }]).replace('"map"', '"hist"'),
  ];
}

interface Totals {
  readonly calls: number;
  readonly ns: number;
}

/**
 * A run of bpftrace. The worker makes 2 calls in the first interval and 5 in the second, 23 ms in all. At the end it has been
 * in a call for 300 ms. The main thread makes its calls in the second interval, 11 ms each.
 */
export function recordedRun(app: App, mainCalls: number): Run {
  const [first, whole] = [
    prints(app, { calls: 2, ns: 3e6 }, 0),
    prints(app, { calls: 7, ns: 23e6 }, mainCalls),
  ];
  const steps: Step[] = [
    ['lines', [eventLine('ready', 0.9e9), eventLine('start', 1e9)]],
    ['until', 'resumed'],
    ['lines', [eventLine('tick', 1.999e9), ...first, eventLine('tock', 2e9)]],
    ['until', 'resumed'],
    ['lines', [eventLine('tick', 2.999e9), ...whole, eventLine('tock', 3e9)]],
    ['until', 'requested'],
    ['lines', [eventLine('stop', 3.5e9), ...whole]],
    [
      'lines',
      [mapLine('@futex', [{ key: `${app.worker}`, value: [3.2e9, app.pid] }]), eventLine('end', 3.6e9)],
    ],
    ['until', 'interrupted'],
  ];
  return { pid: app.pid, recordedPid: app.pid, steps };
}
