/** A file of which only the needed ranges are read. */
export interface ByteSource {
  /** Bytes of the whole file. */
  readonly size: number;
  /** May return fewer bytes at the end of the file, and may throw. The bytes must stay as they are. */
  readonly read: (offset: number, length: number) => Buffer;
}

/** Why a file cannot be read. */
export interface ElfProblem {
  readonly problem: string;
}

/** The headers of an ELF file. Its addresses are those before a loader moves it. */
export interface ElfFile {
  /** Whether its addresses have 64 bits, and not 32. */
  readonly wide: boolean;
  /** `e_type`, such as ET_DYN. */
  readonly type: number;
  /** `e_machine`, such as EM_X86_64. */
  readonly machine: number;
  readonly entry: number;
  /** Hexadecimal digits. */
  readonly buildId: string | undefined;
  readonly debugLink: DebugLink | undefined;
  /** Parts that are loaded into memory. A separate debug file has these rows, but not their content. */
  readonly segments: readonly ElfSegment[];
  /** By index, to which `link` refers. */
  readonly sections: readonly ElfSection[];
  /** The first one of that name. */
  readonly section: (name: string) => ElfSection | undefined;
  /** Headers that could not be read, a sentence each. */
  readonly problems: readonly string[];
}

export interface ElfSegment {
  readonly fileOffset: number;
  readonly fileSize: number;
  readonly vaddr: number;
  readonly memSize: number;
  readonly executable: boolean;
}

/** A section as its header describes it: its offsets may lie outside the file. Numbers past 2^53 are the nearest double. */
export interface ElfSection {
  /** The first 256 bytes of it. */
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly addr: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly align: number;
  readonly entsize: number;
}

/** Points from a stripped file to the one with its symbols. */
export interface DebugLink {
  /** A file name without a directory. */
  readonly name: string;
  /** CRC-32 of that whole file. */
  readonly crc: number;
}
