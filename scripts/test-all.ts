/**
 * `npm run test:all`: runs `npm test` including the tests that take minutes (see test/effort.ts). Then it runs the kernel tests
 * with the other versions of bpftrace, like `npm run test:matrix -- --but-own`.
 */
import { $ } from 'zx';

$.verbose = false;
const run = $({ stdio: 'inherit', nothrow: true, env: { ...process.env, BTPROF_TESTS: 'all' } });

for (const script of ['scripts/test.ts', 'scripts/test-matrix.ts']) {
  const { exitCode } = await run`npx tsx ${script} ${script.includes('matrix') ? ['--but-own'] : []}`;
  if (exitCode !== 0) process.exit(exitCode ?? 1);
}
