import { expect, onTestFinished, test, vi } from 'vitest';
import { nameThreads } from '../../../../bt/driver/proc-threads.ts';

const WAIT_MS = 20;

test.skipIf(process.platform !== 'linux')(
  'a thread is named no later than the kernel sees it, however long that takes',
  () => {
    const kill = vi.spyOn(process, 'kill').mockImplementation(() => {
      for (const began = performance.now(); performance.now() - began < WAIT_MS; );
      return true;
    });
    onTestFinished(() => kill.mockRestore());
    const [first] = nameThreads(() => [process.pid]);
    expect(first?.namedNs).toBeLessThan(WAIT_MS * 1e6);
  },
);
