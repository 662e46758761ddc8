import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { newPlayer, playedScript } from './player.ts';

/** One action of a fake bpftrace. */
export type Step =
  | readonly ['lines', readonly string[]]
  /** Text without a final newline. */
  | readonly ['text', string]
  | readonly ['stderr', string]
  | readonly ['sleep', number]
  | readonly ['until', 'requested' | 'interrupted' | 'running' | 'stopped' | 'gone' | 'resumed']
  /** Creates a file with this name in `dir`, for which the command may wait. */
  | readonly ['touch', string]
  /** Sends SIGSTOP, as a program does at the entry of the command. */
  | readonly ['stopTarget', true]
  | readonly ['exit', number]
  | readonly ['kill', NodeJS.Signals]
  /** Prints nothing more, and ends only by SIGKILL. */
  | readonly ['hang', true];

/** The script for one start of the fake. */
export interface Run {
  /** The target's pid in the recorded lines. The fake replaces it with the pid of the real target. */
  readonly recordedPid: number;
  /** The real target. Without it the fake finds the target in the program, or in `--dwarf-pid`. */
  readonly pid?: number;
  readonly steps: readonly Step[];
}

/** How the fake was started. */
export interface Start {
  readonly pid: number;
  readonly args: readonly string[];
  readonly program: string;
  readonly target: number | null;
  readonly environment: Readonly<Record<string, string>>;
}

export interface FakeBpftrace {
  readonly dir: string;
  /** An executable for `--bpftrace`. */
  readonly path: string;
  /** Creating this file makes the fake print its maps: unlike the kernel, it cannot see which processes btprof starts. */
  readonly requestFile: string;
  readonly starts: () => readonly Start[];
  /** Lets the fake continue from its step `until resumed`. */
  readonly resume: () => void;
  readonly remove: () => void;
}

/**
 * Writes an executable that behaves like bpftrace.
 *
 * @param runs the scripts for its first start, its second, and so on
 * @param version shell script that prints the version
 */
export function fakeBpftrace(runs: readonly Run[], version = 'echo bpftrace v0.27.1'): FakeBpftrace {
  const dir = mkdtempSync(join(tmpdir(), 'btprof-fake-'));
  const path = join(dir, 'bpftrace');
  const requestFile = join(dir, 'requested');
  const answer = `[ "$1" != --version ] || { ${version}; exit; }`;
  writeFileSync(path, `#!/bin/sh\n${answer}\n${playedScript(dir)}`, { mode: 0o755 });
  const { close, ...player } = newPlayer(dir, requestFile, runs);
  return {
    ...{ dir, path, requestFile, ...player },
    remove: () => {
      close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** The lines of a recording, split by the phases of a collection. */
export interface Phases {
  readonly recordedPid: number;
  /** Until the probes are live, without the `ready` line. */
  readonly attaching: readonly string[];
  readonly ready: string;
  /** From then until the maps are requested. */
  readonly events: readonly string[];
  readonly stop: string;
  readonly maps: readonly string[];
  readonly end: string;
}

/** @param name a recording in fixtures/recordings */
export function phasesOf(name: string, version = '0.27'): Phases {
  const packed = readFileSync(`fixtures/recordings/${version}/${name}.json.gz`);
  const { lines, facts }: { lines: string[]; facts: { pids: number[] } } = JSON.parse(
    gunzipSync(packed).toString(),
  );
  const at = (type: string) => lines.findIndex((line) => line.includes(`["${type}",`));
  const [ready, stop, end] = [at('ready'), at('stop'), at('end')];
  return {
    recordedPid: facts.pids[0] as number,
    attaching: lines.slice(0, ready),
    ready: lines[ready] as string,
    events: lines.slice(ready + 1, stop),
    stop: lines[stop] as string,
    maps: lines.slice(stop + 1, end),
    end: lines[end] as string,
  };
}

/** Moments at which something can go wrong. */
export type Moment =
  | 'before any output'
  | 'while attaching'
  | 'once ready'
  | 'in the middle of a line'
  | 'between stop and end'
  | 'in the middle of a map';

const ORDER: readonly Moment[] = [
  'before any output',
  'while attaching',
  'once ready',
  'in the middle of a line',
  'between stop and end',
  'in the middle of a map',
];
export const MOMENTS: readonly Moment[] = ORDER;

/**
 * Replays a recording. At one moment, the given steps replace all that would follow.
 *
 * @param trouble the moment and the steps; without it, the whole recording is replayed
 */
export function replaying(phases: Phases, trouble?: { at: Moment; steps: readonly Step[] }): Run {
  const { recordedPid, attaching, ready, events, stop, maps, end } = phases;
  const half = (line: string | undefined) => (line ?? '').slice(0, (line ?? '').length / 2);
  const stages: readonly (readonly [Moment | undefined, readonly Step[]])[] = [
    ['before any output', []],
    ['while attaching', [['lines', attaching]]],
    ['once ready', [['lines', [ready]]]],
    [
      'in the middle of a line',
      [
        ['until', 'running'],
        ['text', half(events[0])],
      ],
    ],
    [
      undefined,
      [
        ['text', (events[0] ?? '').slice(half(events[0]).length)],
        ['lines', ['', ...events.slice(1)]],
        ['until', 'requested'],
      ],
    ],
    ['between stop and end', [['lines', [stop, ...maps.slice(0, -1)]]]],
    ['in the middle of a map', [['text', half(maps.at(-1))]]],
    [
      undefined,
      [
        ['text', (maps.at(-1) ?? '').slice(half(maps.at(-1)).length)],
        ['lines', ['', end]],
        ['until', 'interrupted'],
      ],
    ],
  ];
  const last = stages.findIndex(([moment]) => trouble && moment === trouble.at);
  const played = last < 0 ? stages : stages.slice(0, last + 1);
  return { recordedPid, steps: [...played.flatMap(([, steps]) => steps), ...(trouble?.steps ?? [])] };
}
