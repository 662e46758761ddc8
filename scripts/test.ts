/**
 * `npm test [-- VITEST_ARG...]`: prepares the host, builds, lints, checks types and runs all tests, including those on the real
 * kernel. If a tool is missing or the kernel tests cannot run, it prints why and fails: skipped does not count as passed.
 */
import { readFileSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { $, tmpfile } from 'zx';
import { BUDGETS } from '../test/budgets.ts';
import { LONG } from '../test/effort.ts';
import { budgetLines } from './budget-lines.ts';
import { prepareHost, TO_TEST, TO_TEST_ALL } from './prepare-host.ts';

$.verbose = false;
const run = $({ stdio: 'inherit', nothrow: true });
const args = process.argv.slice(2);

const missing = await prepareHost(LONG ? TO_TEST_ALL : TO_TEST);
await check('the build', run`npx tsx scripts/build.ts`);
if (args.length === 0) {
  await check('biome', run`npx biome check --error-on-warnings .`);
  await check('tsc', run`npx tsc --noEmit`);
  await check('tsc', run`npx tsc --noEmit -p cli/formats/flamegraph/client`);
}
const complete = missing.length === 0;
const projects = ['unit', ...(complete ? ['toolchain', 'formats', 'browser', 'live'] : [])].flatMap(
  (name) => ['--project', name],
);
const env = complete ? { ...process.env, BTPROF_SKIP: 'none' } : process.env;
const report = tmpfile('report.json');
const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
const vitest = ['vitest', 'run', '--config', 'test/vitest.config.ts', ...projects, ...reporters, ...args];
const tests = run({ env })`npx ${vitest}`;
await tests;
printBudgetLines();
if (complete) await check('vitest', tests);
else {
  console.error(
    `\nThe kernel tests did not run. What is missing:\n${missing.map((m) => `- ${m}`).join('\n')}`,
  );
  process.exit(1);
}

/** If vitest does not start, the report stays empty. */
function printBudgetLines(): void {
  const { testResults } = JSON.parse(readFileSync(report, 'utf8') || '{ "testResults": [] }');
  for (const line of budgetLines(testResults, BUDGETS)) console.log(line);
  rmSync(dirname(report), { recursive: true });
}

async function check(what: string, step: PromiseLike<{ exitCode: number | null }>): Promise<void> {
  const { exitCode } = await step;
  if (exitCode === 0) return;
  console.error(`\nnpm test: ${what} failed with status ${exitCode}.`);
  process.exit(exitCode ?? 1);
}
