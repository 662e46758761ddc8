import { bytesAt, sectionBytes } from './elf-bytes.ts';
import { type ProgramHeader, readHeader, readProgramHeaders, readSections } from './elf-headers.ts';
import { buildIdIn, debugLinkIn } from './elf-identity.ts';
import type { ByteSource, DebugLink, ElfFile, ElfProblem, ElfSection, ElfSegment } from './elf-types.ts';

export const ET_REL = 1;
export const ET_EXEC = 2;
export const ET_DYN = 3;
export const EM_ARM = 40;
export const EM_X86_64 = 62;
export const EM_AARCH64 = 183;
const PT_LOAD = 1;
const PT_NOTE = 4;

/** The build ID is one of the first notes, and those are small. */
const MOST_NOTES = 16;
const LARGEST_NOTES = 2 ** 16;
const LARGEST_DEBUG_LINK = 2 ** 12;

/**
 * Reads the headers of an ELF file of 32 or 64 bits (elf(5); gABI, "Object Files" and "Program Loading"). Never throws.
 * A table that is broken or too large is left out, and `problems` says so. When the file has no ELF header, cannot be
 * read or is big-endian, the result is that one problem.
 */
export function readElf(source: ByteSource): ElfFile | ElfProblem {
  const header = readHeader(source);
  if ('problem' in header) return header;
  const problems: string[] = [];
  const rows = readProgramHeaders(source, header, problems);
  const sections = readSections(source, header, problems);
  const byName = new Map(sections.toReversed().map((section) => [section.name, section]));
  const section = (name: string) => byName.get(name);
  const { wide, type, machine, entry } = header;
  return {
    wide,
    type,
    machine,
    entry,
    buildId: findBuildId(source, section('.note.gnu.build-id'), rows),
    debugLink: findDebugLink(source, section('.gnu_debuglink')),
    segments: loadable(rows, problems),
    sections,
    section,
    problems,
  };
}

/**
 * Finds the address in the file of code at a file offset. Use the file that is mapped: in a separate debug file the
 * offsets mean nothing.
 *
 * @returns undefined outside executable segments
 */
export function fileOffsetToVaddr(elf: Pick<ElfFile, 'segments'>, offset: number): number | undefined {
  const segment = elf.segments.find(
    (s) => s.executable && s.fileOffset <= offset && offset - s.fileOffset < s.fileSize,
  );
  return segment && segment.vaddr + (offset - segment.fileOffset);
}

/** Looks at the section first: in a separate debug file the program headers do not point to it. */
function findBuildId(
  source: ByteSource,
  section: ElfSection | undefined,
  rows: readonly ProgramHeader[],
): string | undefined {
  const ofSection = section && sectionBytes(source, section, LARGEST_NOTES);
  const id = ofSection && !('problem' in ofSection) && buildIdIn(ofSection, section.align);
  if (id) return id;
  for (const row of rows.filter((r) => r.type === PT_NOTE).slice(0, MOST_NOTES)) {
    const notes = bytesAt(source, row.fileOffset, Math.min(row.fileSize, LARGEST_NOTES));
    const found = 'problem' in notes ? undefined : buildIdIn(notes, row.align);
    if (found) return found;
  }
  return undefined;
}

function findDebugLink(source: ByteSource, section: ElfSection | undefined): DebugLink | undefined {
  const link = section && sectionBytes(source, section, LARGEST_DEBUG_LINK);
  return link && !('problem' in link) ? debugLinkIn(link) : undefined;
}

/** Leaves out segments with addresses past 2^53, which no process has. */
function loadable(rows: readonly ProgramHeader[], problems: string[]): ElfSegment[] {
  const loaded = rows.filter((row) => row.type === PT_LOAD);
  const kept = loaded.filter((row) =>
    [row.vaddr + row.memSize, row.fileOffset + row.fileSize].every(Number.isSafeInteger),
  );
  if (kept.length < loaded.length)
    problems.push(`program headers: ${loaded.length - kept.length} segments lie beyond 2^53`);
  return kept.map(({ type: _, align: __, ...segment }) => segment);
}
