/**
 * `npm run prepare:host [-- roots]`: gets this machine ready for all tests at once: packages and tracefs, or with `roots`
 * the bpftraces of other releases.
 */
import { prepareHost, TO_TEST_ALL } from './prepare-host.ts';
import { orRefuse, requireNothing } from './refusal.ts';
import { prepareVersions } from './versions.ts';

await orRefuse('npm run prepare:host', async () => {
  if (process.argv.includes('roots')) await prepareVersions();
  else requireNothing(await prepareHost(TO_TEST_ALL));
});
