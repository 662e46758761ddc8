/**
 * `npm run prepare:host [-- roots]`: gets this machine ready for all tests, so that they need not wait for each other:
 * packages and tracefs, or with `roots` the bpftraces of other releases.
 */
import { prepareHost, TO_TEST_VERSIONS } from './host.ts';
import { prepareVersions } from './versions.ts';

if (process.argv.includes('roots')) {
  await prepareVersions();
} else {
  const missing = await prepareHost(TO_TEST_VERSIONS);
  for (const what of missing) console.error(`What is missing: ${what}`);
  process.exitCode = missing.length > 0 ? 1 : 0;
}
