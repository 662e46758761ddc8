/**
 * `npm run prepare:host [-- roots]`: prepares this machine for all tests: installs packages and mounts tracefs. With `roots` it
 * installs the bpftrace versions of other releases.
 */
import { prepareHost, TO_TEST_ALL } from './prepare-host.ts';
import { orRefuse, requireNothing } from './refusal.ts';
import { prepareVersions } from './versions.ts';

await orRefuse('npm run prepare:host', async () => {
  if (process.argv.includes('roots')) await prepareVersions();
  else requireNothing(await prepareHost(TO_TEST_ALL));
});
