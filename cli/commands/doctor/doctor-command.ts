import { checkHost } from '../../../bt/driver/checks.ts';
import type { Doctor, DoctorCheck } from '../../../metrics/schema.ts';
import { stdout } from '../../output.ts';
import { jsonText } from '../../plain-text.ts';
import type { DoctorOptions } from './doctor-options.ts';

/** `btprof doctor`; returns status 0 if this host can profile, otherwise 1. */
export async function doctorCommand(options: DoctorOptions): Promise<number> {
  for (const [signal, status] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.once(signal, () => process.exit(status));
  }
  const checks = await checkHost(options.bpftrace);
  const ok = checks.every((check) => check.status === 'ok' || check.status === 'limited');
  const result: Doctor = { kind: 'doctor', schema: 'btprof/1', ok, checks };
  stdout.write(options.json ? jsonText(result, 2) : doctorView(result));
  return ok ? 0 : 1;
}

function doctorView({ ok, checks }: Doctor): string {
  const width = Math.max(...checks.map((check) => check.name.length));
  const verdict = ok ? 'This host can profile.' : 'This host cannot profile yet.';
  return `${checks.flatMap((check) => checkLines(check, width)).join('\n')}\n\n${verdict}\n`;
}

function checkLines({ name, status, detail, fix }: DoctorCheck, width: number): string[] {
  const indent = ' '.repeat(9 + width + 2);
  return [`${status.padEnd(8)} ${name.padEnd(width)}  ${detail}`, ...(fix ? [`${indent}fix: ${fix}`] : [])];
}
