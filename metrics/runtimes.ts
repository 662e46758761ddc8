import type { Mapping } from '../parsers/proc.ts';
import type { AddressSpaces } from './mappings.ts';
import { plural } from './units.ts';

/** A runtime that can name the functions that it compiles, if an option asks for it. */
interface Runtime {
  readonly name: string;
  /** Matches a file that its processes have mapped. */
  readonly file: RegExp;
  readonly advice: string;
}

const RUNTIMES: readonly Runtime[] = [
  {
    name: 'Node.js',
    file: /\/(node|nodejs|libnode\.so\S*)$/,
    advice: 'node --perf-basic-prof, or NODE_OPTIONS=--perf-basic-prof, names its JavaScript',
  },
  {
    name: 'Java',
    file: /\/libjvm\.so$/,
    advice:
      'java -XX:+PreserveFramePointer, and "jcmd PID Compiler.perfmap" while it runs (JDK 17 and newer), name its methods',
  },
  {
    name: 'Python',
    file: /\/(lib)?python3\.(1[2-9]|[2-9]\d)(\.so\S*)?$/,
    advice: 'python3 -X perf, or PYTHONPERFSUPPORT=1, names its functions',
  },
  {
    name: 'Python',
    file: /\/(lib)?python3\.(\d|1[01])(\.so\S*)?$/,
    advice: 'Python 3.12 and newer can name its functions: python3 -X perf',
  },
];

/** Tells whether a process with these mappings belongs to such a runtime. */
export function isRuntime(space: readonly Mapping[]): boolean {
  return RUNTIMES.some(({ file }) => hasMapped(space, file));
}

function hasMapped(space: readonly Mapping[], file: RegExp): boolean {
  return space.some(({ path }) => file.test(path));
}

/**
 * Runtimes whose processes do not say what code they compile.
 *
 * @param isMeant whether to check a process
 */
export function silentRuntimes(
  spaces: AddressSpaces,
  isMeant: (pid: number) => boolean,
): { which: string; advice: string }[] {
  const programs = [...spaces].map(([key, space]) => ({ pid: Number.parseInt(key, 10), space }));
  return RUNTIMES.flatMap(({ name, file, advice }) => {
    const pids = new Set(
      programs.filter(({ pid, space }) => hasMapped(space, file) && isMeant(pid)).map(({ pid }) => pid),
    );
    if (pids.size === 0) return [];
    const verb = pids.size === 1 ? 'does not say what code it compiles' : 'do not say what code they compile';
    return [
      {
        which: `${plural(pids.size, 'process', 'processes')} of ${name} (${listed([...pids])}) ${verb}`,
        advice,
      },
    ];
  });
}

function listed(pids: readonly number[]): string {
  return pids.length > 3 ? `${pids.slice(0, 3).join(', ')}, ...` : pids.join(', ');
}
