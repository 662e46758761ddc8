import { readlinkSync, realpathSync, statSync } from 'node:fs';
import { VDSO } from '../../metrics/symbols.ts';
import { readElf } from '../../parsers/elf.ts';
import type { ByteSource, ElfFile } from '../../parsers/elf-types.ts';
import type { Mapping } from '../../parsers/proc.ts';
import type { StreamEvent } from '../../parsers/stream.ts';
import { tryRead } from '../driver/procfs.ts';
import { fileKey, fileKeyOf, type ObjectFiles } from './object-files.ts';
import { vdsoLength } from './vdso.ts';

type Image = Extract<StreamEvent, { type: 'image' }>;

/** Keys of the auxiliary vector (getauxval(3)). */
const AT_BASE = 7;
const AT_SYSINFO_EHDR = 33;
const PAGE = 4096;
const LONGEST_PATH = 4096;

/**
 * Lists the executable mappings of a new program: its own code, the loader's and the vDSO. Kernel events have their
 * addresses, the files have their lengths.
 *
 * @param auxv key and value in turn
 */
export function imageMappings(image: Image, auxv: readonly number[], files: ObjectFiles): Mapping[] {
  const file = files.see(fileKey(image.device, image.inode), { pid: image.pid });
  const source = files.source(file);
  const path = files.path(file);
  const elf = source && parsed(source);
  const vdso = elf?.wide === false ? [] : vdsoMapping(auxiliary(auxv, AT_SYSINFO_EHDR)); // a 32-bit vDSO is another one
  if (!source || !elf || path === undefined) return vdso;
  return [
    ...codeMappings(elf, image.startCode - lowestCode(elf), file, path),
    ...(seesOurFiles(image.pid, file, files)
      ? loaderMappings(source, elf, auxiliary(auxv, AT_BASE), image.pid, files)
      : []),
    ...vdso,
  ];
}

/** Whether the path of the program's file is known by now. */
export function isImageKnown({ device, inode }: Image, files: ObjectFiles): boolean {
  return files.path(fileKey(device, inode)) !== undefined;
}

function parsed(source: ByteSource): ElfFile | undefined {
  const elf = readElf(source);
  return 'problem' in elf ? undefined : elf;
}

function auxiliary(auxv: readonly number[], key: number): number | undefined {
  for (let i = 0; i + 1 < auxv.length; i += 2) if (auxv[i] === key) return auxv[i + 1];
  return undefined;
}

/** The kernel's `start_code` is that of the lowest executable segment. */
function lowestCode({ segments }: ElfFile): number {
  return segments.filter((s) => s.executable).reduce((least, s) => Math.min(least, s.vaddr), Infinity);
}

function codeMappings({ segments }: ElfFile, bias: number, file: string, path: string): Mapping[] {
  return segments
    .filter((segment) => segment.executable)
    .map(({ vaddr, memSize, fileOffset }) => {
      const start = floor(bias + vaddr);
      const end = floor(bias + vaddr + memSize + PAGE - 1);
      return mapping(start, end, floor(fileOffset), file, path);
    });
}

/** Whether a path means the same file to a process as to us. For a process that has ended, its program decides. */
function seesOurFiles(pid: number, program: string, files: ObjectFiles): boolean {
  const mounts = (who: string | number) => tryRead(() => readlinkSync(`/proc/${who}/ns/mnt`));
  const root = (who: string | number) =>
    tryRead(() => fileKeyOf(statSync(`/proc/${who}/root/`, { bigint: true })));
  const ofProcess = mounts(pid);
  if (ofProcess === undefined) return files.isHere(program);
  return ofProcess === mounts('self') && root(pid) === root('self');
}

/** The program names its loader; a static one has none. */
function loaderMappings(
  source: ByteSource,
  elf: ElfFile,
  base: number | undefined,
  pid: number,
  files: ObjectFiles,
): Mapping[] {
  const section = elf.section('.interp');
  if (!base || !section || section.size > LONGEST_PATH) return [];
  const name = tryRead(() => source.read(section.offset, section.size).toString().replace(/\0.*$/s, ''));
  const path = name && tryRead(() => realpathSync.native(name));
  const stat = path && tryRead(() => statSync(path, { bigint: true }));
  if (!path || !stat) return [];
  const file = files.see(fileKeyOf(stat), { pid, path });
  const loader = files.source(file);
  const loaderElf = loader && parsed(loader);
  return loaderElf ? codeMappings(loaderElf, base, file, path) : [];
}

function vdsoMapping(start: number | undefined): Mapping[] {
  const length = vdsoLength();
  return start && length ? [mapping(start, start + length, 0, '00:00 0', VDSO)] : [];
}

function mapping(start: number, end: number, offset: number, file: string, path: string): Mapping {
  return { start: BigInt(start), end: BigInt(end), fileOffset: BigInt(offset), file, path };
}

/** Down to a page. */
function floor(address: number): number {
  return address - (address % PAGE);
}
