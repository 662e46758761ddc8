/**
 * `npm run test:matrix [-- VERSION... | --but-own | VITEST_ARG...]`: runs the kernel tests with bpftrace 0.17, 0.23 and 0.27 in
 * turn, on this kernel, and then the tests that compare the three. --but-own skips the version of the installed bpftrace,
 * because `npm test` uses it, and the tests that do not depend on the version.
 */
import { $ } from 'zx';
import { prepareHost, TO_TEST_VERSIONS } from './prepare-host.ts';
import { prepareVersions, VERSION_INDEPENDENT, VERSIONS, type Version } from './versions.ts';

$.verbose = false;
const butOwn = process.argv.includes('--but-own');
const leftOut = butOwn ? VERSION_INDEPENDENT.flatMap((file) => ['--exclude', file]) : [];
const given = process.argv.slice(2).filter((arg) => arg !== '--but-own');
const asked = VERSIONS.filter((version) => given.includes(version));
const args = given.filter((arg) => !asked.includes(arg as Version));

const unknown = args.find((arg) => /^\d/.test(arg));
if (unknown) fail(`unknown version ${unknown}. Choose from: ${VERSIONS.join(', ')}`);

const missing = await prepareHost(TO_TEST_VERSIONS);
if (missing.length > 0) fail(`What is missing:\n${missing.map((m) => `- ${m}`).join('\n')}`);
const all = await prepareVersions();
await $({ stdio: 'inherit' })`npx tsx scripts/build.ts`;
const own = butOwn ? (await $({ nothrow: true })`bpftrace --version`).stdout : '';
const wanted = all
  .filter(({ version }) => asked.length === 0 || asked.includes(version))
  .filter(({ version }) => !own.includes(` v${version}.`));
for (const bpftrace of wanted) {
  console.log(`\nbpftrace ${bpftrace.version}`);
  await vitest('live', { PATH: `${bpftrace.dir}:${process.env.PATH}` }, `with bpftrace ${bpftrace.version}`);
}
if (asked.length === 0) await vitest('versions', { BTPROF_VERSIONS: JSON.stringify(all) }, 'of all versions');

async function vitest(project: string, env: Record<string, string>, what: string): Promise<void> {
  const run = $({ stdio: 'inherit', nothrow: true, env: { ...process.env, BTPROF_SKIP: 'none', ...env } });
  const { exitCode } =
    await run`npx vitest run --config test/vitest.config.ts --passWithNoTests=${args.length > 0} --project ${project} ${leftOut} ${args}`;
  if (exitCode !== 0) fail(`the tests ${what} failed with status ${exitCode}.`);
}

function fail(why: string): never {
  console.error(`\nnpm run test:matrix: ${why}`);
  process.exit(1);
}
