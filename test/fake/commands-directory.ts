import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    commands: string;
  }
}

/** Provides a directory in which the test files share the commands that `command.ts` builds. */
export default function setup(project: TestProject): () => void {
  const dir = mkdtempSync(join(tmpdir(), 'btprof-commands-'));
  project.provide('commands', dir);
  return () => rmSync(dir, { recursive: true });
}
