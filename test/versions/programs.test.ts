import { readdirSync, readFileSync } from 'node:fs';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { dialectFor } from '../../bt/dialect.ts';
import { BPFTRACES } from './bpftraces.ts';

describe.concurrent.each(BPFTRACES)('bpftrace $version', ({ version, path }) => {
  const dir = `fixtures/programs/${version}`;
  const programs = readdirSync(dir);

  test.each(programs)('loads and attaches %s, and prints its first line', async (name) => {
    const { stdout, stderr } = await firstLine(path, readFileSync(`${dir}/${name}`, 'utf8'));
    expect({ stdout, stderr }).toEqual({ stdout: expect.stringMatching(/^\{.*"ready", ?\d+/m), stderr: '' });
  });
});

/** Runs a program with the argument `1` until it reports that its probes are live. */
async function firstLine(bpftrace: string, program: string): Promise<{ stdout: string; stderr: string }> {
  const { environment } = dialectFor((await execa(bpftrace, ['--version'])).stdout);
  const env = environment({ mapEntries: 64, bufferPages: 64, cpus: 2 });
  const args = ['--no-warnings', '-f', 'json', '-e', program, '1'];
  const running = execa(bpftrace, args, { env, reject: false, timeout: 30_000, killSignal: 'SIGKILL' });
  running.stdout.on('data', (chunk) => {
    if (String(chunk).includes('"ready"')) running.kill();
  });
  const { stdout, stderr } = await running;
  return { stdout, stderr: stderr.replaceAll(/^.*RLIMIT_MEMLOCK.*\n?/gm, '') };
}
