import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { BtprofError } from '../../metrics/errors.ts';

/**
 * Finds the file that a command names, as execvp(3) would.
 *
 * @param command the command's bytes
 * @param environment `NAME=value` entries of the command's environment
 * @returns the real path of the file
 * @throws BtprofError with status 127 when it does not exist, 126 when it cannot be executed
 */
export function resolveCommand(command: Buffer, environment: readonly Buffer[]): string {
  const name = JSON.stringify(command.toString());
  if (command.includes('/')) {
    const problem = whyNotExecutable(command);
    if (!problem) return realpathSync.native(command);
    throw new BtprofError(`cannot run ${name}: ${problem.text}.`, problem.hint, problem.status);
  }
  const places = searchPath(environment);
  const problems = places.map((dir) => {
    const file = Buffer.concat([Buffer.from(dir === '' ? '.' : dir, 'latin1'), Buffer.from('/'), command]);
    return { file, problem: whyNotExecutable(file) };
  });
  const found = problems.find(({ problem }) => !problem);
  if (found && command.length > 0) return realpathSync.native(found.file);
  if (command.length > 0 && problems.some(({ problem }) => problem?.status === 126)) {
    throw new BtprofError(`cannot run ${name}: it is in PATH but not executable.`, undefined, 126);
  }
  throw new BtprofError(
    `command not found: ${name}.`,
    `None of the ${places.length} directories in PATH has it. Give its path, such as ./NAME.`,
    127,
  );
}

function searchPath(environment: readonly Buffer[]): string[] {
  const entry = environment.map((e) => e.toString('latin1')).findLast((e) => e.startsWith('PATH='));
  return (entry?.slice('PATH='.length) ?? '/bin:/usr/bin').split(':');
}

function whyNotExecutable(file: Buffer): { status: number; text: string; hint?: string } | undefined {
  try {
    if (statSync(file).isDirectory()) return { status: 126, text: 'it is a directory' };
    accessSync(file, constants.X_OK);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return { status: 127, text: 'there is no such file' };
    if (code === 'EACCES')
      return { status: 126, text: 'permission denied', hint: 'Is it executable? chmod +x makes it so.' };
    return { status: 126, text: String(code) };
  }
}
