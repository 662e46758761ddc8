import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** What a fake bpftrace does next. */
export type Step =
  | readonly ['lines', readonly string[]]
  /** Without a newline at its end. */
  | readonly ['text', string]
  | readonly ['stderr', string]
  | readonly ['sleep', number]
  | readonly ['until', 'asked' | 'interrupted' | 'running' | 'stopped' | 'gone' | 'told']
  /** Makes a file of that name, in `dir`, for which the command may wait. */
  | readonly ['touch', string]
  /** SIGSTOP, as a program sends it at the entry of the command. */
  | readonly ['stopTarget', true]
  | readonly ['exit', number]
  | readonly ['kill', NodeJS.Signals]
  /** It says nothing more, and only SIGKILL ends it. */
  | readonly ['hang', true];

/** What one start of the fake does. */
export interface Run {
  /** The target's pid in the recorded lines, in whose place comes that of the real target. */
  readonly recordedPid: number;
  /** The real target; without it the fake finds it in the program, or in `--dwarf-pid`. */
  readonly pid?: number;
  readonly steps: readonly Step[];
}

/** What it was started with. */
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
  /** A file that makes it print its maps: it cannot see, as the kernel does, that btprof starts a process. */
  readonly asked: string;
  readonly starts: () => readonly Start[];
  /** Lets it go on from where it waits until it is told. */
  readonly tell: () => void;
  readonly remove: () => void;
}

/**
 * Writes an executable that behaves like a bpftrace.
 *
 * @param runs what it does at its first start, its second, and so on
 * @param version what `--version` prints, or a script of a shell that stands in its place
 */
export function fakeBpftrace(runs: readonly Run[], version = 'echo bpftrace v0.27.1'): FakeBpftrace {
  const dir = mkdtempSync(join(tmpdir(), 'btprof-fake-'));
  const path = join(dir, 'bpftrace');
  writeFileSync(join(dir, 'script.json'), JSON.stringify({ runs }));
  const script = resolve('test/fake/bpftrace.mjs');
  const start = `exec '${process.execPath}' '${script}' '${dir}' "$@"`;
  writeFileSync(path, `#!/bin/sh\n[ "$1" != --version ] || { ${version}; exit; }\n${start}\n`);
  chmodSync(path, 0o755);
  return {
    dir,
    path,
    asked: join(dir, 'asked'),
    starts: () => startsIn(dir, 0),
    tell: () => writeFileSync(join(dir, 'told'), ''),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

function startsIn(dir: string, from: number): Start[] {
  const file = join(dir, `run-${from}`, 'started.json');
  return existsSync(file) ? [JSON.parse(readFileSync(file, 'utf8')), ...startsIn(dir, from + 1)] : [];
}

/** The lines of a recording, by the phases of a collection. */
export interface Phases {
  readonly recordedPid: number;
  /** Until the probes are live, without `ready`. */
  readonly attaching: readonly string[];
  readonly ready: string;
  /** From then on until the maps are asked for. */
  readonly events: readonly string[];
  readonly stop: string;
  readonly maps: readonly string[];
  readonly end: string;
}

/** @param name a recording of fixtures/recordings */
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

/** Where something can go wrong. */
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
 * Replays a recording; at one moment the given steps come in place of all that would follow.
 *
 * @param trouble what happens at which moment; without it, the whole recording
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
        ['until', 'asked'],
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
