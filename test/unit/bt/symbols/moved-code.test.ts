import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { newMovedCode } from '../../../../bt/symbols/moved-code.ts';
import { newObjectFiles } from '../../../../bt/symbols/object-files.ts';
import { type Mapping, parseMaps } from '../../../../parsers/proc.ts';

const SIZE = 0x5000n;

describe.skipIf(process.platform !== 'linux')('memory at the addresses of a file', () => {
  /** Our own code, which is like code that was moved: memory with the content of the file. */
  const ours = () => {
    const maps = parseMaps(readFileSync('/proc/self/maps', 'utf8'));
    const code = maps.find(
      ({ path, start, end }) => path === process.execPath && end - start > 16n * SIZE,
    ) as Mapping;
    const files = newObjectFiles();
    onTestFinished(files.close);
    files.see(code.file, { pid: process.pid, path: code.path });
    const start = code.start + SIZE;
    return { code, memory: { ...code, start, end: start + SIZE, file: '00:00 0', path: '' }, files };
  };

  test('is code of the file if it holds the same', async () => {
    const { code, memory, files } = ours();
    expect(await newMovedCode(files)(process.pid, memory, code)).toEqual({
      ...{ start: memory.start, end: memory.end, fileOffset: code.fileOffset + SIZE },
      ...{ file: code.file, path: code.path },
    });
  });

  test('is not if it holds something else', async () => {
    const { code, memory, files } = ours();
    const shifted = { ...code, fileOffset: code.fileOffset + SIZE };
    expect(await newMovedCode(files)(process.pid, memory, shifted)).toBeUndefined();
  });

  test('is not known after the end of the process', async () => {
    const { code, memory, files } = ours();
    const child = spawn('true', { stdio: 'ignore' });
    await new Promise((resolve) => child.once('exit', resolve));
    expect(await newMovedCode(files)(child.pid as number, memory, code)).toBeUndefined();
  });

  test('is not known if the file cannot be read', async () => {
    const { code, memory } = ours();
    expect(await newMovedCode(newObjectFiles())(process.pid, memory, code)).toBeUndefined();
  });
});
