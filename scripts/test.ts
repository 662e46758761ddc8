/**
 * `npm test [-- VITEST_ARG...]`: prepares the host, builds, lints, checks types and runs all tests, those on the
 * real kernel too. Where those cannot run it says why and fails: a skipped kernel test is no passed one.
 */
import { $ } from 'zx';
import { prepareHost, TO_TEST } from './host.ts';

$.verbose = false;
const run = $({ stdio: 'inherit', nothrow: true });
const args = process.argv.slice(2);

const missing = await prepareHost(TO_TEST);
await check('the build', run`npx tsx scripts/build.ts`);
if (args.length === 0) {
  await check('biome', run`npx biome check --error-on-warnings .`);
  await check('tsc', run`npx tsc --noEmit`);
  await check('tsc', run`npx tsc --noEmit -p cli/formats/flamegraph/client`);
}
const projects = ['unit', ...(missing.length > 0 ? [] : ['formats', 'browser', 'live'])].flatMap((name) => [
  '--project',
  name,
]);
await check('vitest', run`npx vitest run --config test/vitest.config.ts ${projects} ${args}`);
if (missing.length > 0) {
  console.error(
    `\nThe kernel tests did not run. What is missing:\n${missing.map((m) => `- ${m}`).join('\n')}`,
  );
  process.exit(1);
}

async function check(what: string, step: PromiseLike<{ exitCode: number | null }>): Promise<void> {
  const { exitCode } = await step;
  if (exitCode === 0) return;
  console.error(`\nnpm test: ${what} failed with status ${exitCode}.`);
  process.exit(exitCode ?? 1);
}
