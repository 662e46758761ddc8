import { closeSync, constants, existsSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Run, Start, Step } from './bpftrace.ts';
import { readProc, stateOf } from './processes.ts';

const POLL_MS = 3;

/**
 * A shell script that runs the commands that the player writes to its pipe, because a shell starts many times faster than
 * Node. It only notes SIGINT. It ends with the process of the player.
 */
export function playedScript(dir: string): string {
  return `dir='${dir}' number=0
until mkfifo "$dir/commands-$number" 2> /dev/null; do
  [ -d "$dir" ] || exit 2
  number=$((number + 1))
done
trap 'true > "$dir/interrupted-$number"' INT
print() { (trap '' INT; exec cat "$1"); }
exec 3<> "$dir/commands-$number" # does not wait for the player
echo $$ > "$dir/started-$number"
read -r command <&3
exec 3< "$dir/commands-$number" # ends when the player does
while command=; read -r command <&3 || [ -d /proc/${process.pid} ]; do eval "$command"; done
`;
}

/** Plays the runs of one fake bpftrace. */
export interface Player {
  readonly starts: () => readonly Start[];
  /** Lets the fake continue from its step `until resumed`. */
  readonly resume: () => void;
  readonly close: () => void;
}

/** @param requestFile exists once btprof has asked for the maps */
export function newPlayer(dir: string, requestFile: string, runs: readonly Run[]): Player {
  const pipes: number[] = [];
  const starts: Start[] = [];
  let [resumes, isClosed] = [0, false];
  const findStart = () => {
    const number = starts.length;
    const run = runs[Math.min(number, runs.length - 1)];
    const pid = Number(readProc(join(dir, `started-${number}`)));
    if (!run || !pid) return;
    const pipe = openSync(join(dir, `commands-${number}`), constants.O_RDWR);
    pipes.push(pipe);
    writeSync(pipe, 'true\n'); // it begins
    rmSync(requestFile, { force: true }); // an earlier start was asked
    const start = startOf(pid, run);
    starts.push(start);
    const stage: Stage = {
      ...{ dir, number, start, recordedPid: run.recordedPid },
      send: (command) => void writeSync(pipe, `${command}\n`),
      isRequested: () => existsSync(requestFile),
      takeResume: () => resumes > 0 && resumes-- > 0,
      isOver: () => isClosed || ['', 'Z', 'X'].includes(stateOf(pid)),
    };
    void play(run.steps, stage);
  };
  const timer = setInterval(findStart, POLL_MS).unref();
  return {
    starts: () => {
      findStart();
      return starts;
    },
    resume: () => {
      resumes++;
    },
    close: () => {
      isClosed = true;
      clearInterval(timer);
      for (const pipe of pipes) {
        writeSync(pipe, 'exit 99\n');
        closeSync(pipe);
      }
    },
  };
}

function startOf(pid: number, run: Run): Start {
  const words = (file: string) => readProc(`/proc/${pid}/${file}`).split('\0').slice(0, -1);
  const args = words('cmdline').slice(2); // after the shell and its script
  const program = args[args.indexOf('-e') + 1] ?? '';
  const environment = Object.fromEntries(words('environ').map((entry) => entry.split(/=(.*)/s).slice(0, 2)));
  const target = run.pid ?? targetIn(program, pid) ?? dwarfPid(args) ?? null;
  return { pid, args, program, target, environment };
}

/** Programs contain two processes in `pid ==`: btprof, which is the parent of the fake, and the held target. */
function targetIn(program: string, pid: number): number | undefined {
  const parent = Number(/\) \w (\d+)/.exec(readProc(`/proc/${pid}/stat`))?.[1]);
  const named = [...program.matchAll(/\bpid == (\d+)/g)].map(([, named]) => Number(named));
  return named.find((one) => one !== parent);
}

function dwarfPid(args: readonly string[]): number | undefined {
  const at = args.indexOf('--dwarf-pid');
  return at < 0 ? undefined : Number(args[at + 1]);
}

/** What the steps of one start act on. */
interface Stage {
  readonly dir: string;
  readonly number: number;
  readonly start: Start;
  readonly recordedPid: number;
  readonly send: (command: string) => void;
  readonly isRequested: () => boolean;
  readonly takeResume: () => boolean;
  readonly isOver: () => boolean;
}

async function play(steps: readonly Step[], stage: Stage): Promise<void> {
  let files = 0;
  const print = (text: string, to = '') => {
    const file = join(stage.dir, `output-${stage.number}-${files++}`);
    writeFileSync(file, withTarget(text, stage));
    stage.send(`print '${file}'${to}`);
  };
  let pending = '';
  for (const step of [...steps, ['exit', 0] as const]) {
    if (stage.isOver()) return;
    if (step[0] === 'lines') pending += step[1].map((line) => `${line}\n`).join('');
    else if (step[0] === 'text') pending += step[1];
    else {
      if (pending !== '') print(pending);
      pending = '';
      if (step[0] === 'stderr') print(`${step[1]}\n`, ' >&2');
      else await act(step, stage);
    }
  }
}

function withTarget(text: string, { start: { target }, recordedPid }: Stage): string {
  return target === null ? text : text.replaceAll(new RegExp(`\\b${recordedPid}\\b`, 'g'), `${target}`);
}

type Action = Exclude<Step, readonly ['lines' | 'text' | 'stderr', unknown]>;

async function act([action, operand]: Action, stage: Stage): Promise<void> {
  const { dir, start, send, isOver } = stage;
  const wait = async (holds: () => boolean) => {
    while (!holds() && !isOver()) await sleep(POLL_MS);
  };
  switch (action) {
    case 'sleep':
      return sleep(operand);
    case 'until':
      return wait(conditions(stage)[operand]);
    case 'touch':
      return writeFileSync(join(dir, operand), '');
    case 'stopTarget':
      return void process.kill(start.target as number, 'SIGSTOP');
    case 'exit':
      return send(`exit ${operand}`);
    case 'kill':
      return send(`kill -s ${operand.slice('SIG'.length)} $$`);
    case 'hang':
      return wait(() => false);
  }
}

function conditions({ dir, number, start, isRequested, takeResume }: Stage) {
  const file = (name: string) => readProc(`/proc/${start.target}/${name}`);
  const interrupted = () => existsSync(join(dir, `interrupted-${number}`));
  /** SIGINT also makes bpftrace print its maps. */
  const requested = () => interrupted() || isRequested();
  return {
    requested,
    interrupted,
    /** The target is or was the command, no longer the program that held its place. */
    running: () => !file('cmdline').startsWith('btprof-hold'),
    /** The test called `resume()`, once per wait, or the collection is ending. */
    resumed: () => takeResume() || requested(),
    stopped: () => stateOf(start.target as number) === 'T',
    gone: () => ['', 'Z', 'X'].includes(stateOf(start.target as number)),
  };
}
