/** A class of ELF files: 64-bit (`wide`) or 32-bit. */
export interface ElfClass {
  readonly wide: boolean;
}

/** The parts of a file for {@link buildElf}. */
export interface ElfParts extends ElfClass {
  readonly type?: number;
  readonly machine?: number;
  readonly entry?: number;
  readonly sections?: readonly SectionParts[];
  readonly segments?: readonly SegmentParts[];
  /** Writes counts into section 0, as in files with more than 65,279 sections. */
  readonly extended?: boolean;
}

export interface SectionParts {
  readonly name: string;
  readonly type: number;
  readonly flags?: number;
  readonly addr?: number;
  readonly content: Buffer;
  /** Name of the section that `sh_link` refers to. */
  readonly link?: string;
  readonly align?: number;
  readonly entsize?: number;
}

/** A segment that loads or refers to the content of a section. */
export interface SegmentParts {
  readonly type: number;
  readonly flags: number;
  readonly section: string;
}

export interface SymbolParts {
  readonly name: string;
  readonly value: number;
  readonly size: number;
  /** 2: a function. */
  readonly type?: number;
  /** 1: global. */
  readonly binding?: number;
  readonly section?: number;
}

export type Field = readonly [width: 1 | 2 | 4 | 'word', value: number];

/** Writes little-endian numbers; a word is as long as an address. */
export function numbers({ wide }: ElfClass, ...fields: readonly Field[]): Buffer {
  return Buffer.concat(
    fields.map(([width, value]) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
      return bytes.subarray(0, width === 'word' ? (wide ? 8 : 4) : width);
    }),
  );
}

/** Builds an ELF file: header, program headers, contents, section headers. It adds section 0, and the section names last. */
export function buildElf(parts: ElfParts): Buffer {
  const texts = stringTable(['.shstrtab', ...(parts.sections ?? []).map((section) => section.name)]);
  const sections = [...(parts.sections ?? []), { name: '.shstrtab', type: 3, content: texts.bytes }];
  const segments = parts.segments ?? [];
  const headers = (parts.wide ? 64 : 52) + segments.length * (parts.wide ? 56 : 32);
  const offsets: number[] = [];
  let end = headers;
  for (const { content } of sections) {
    offsets.push(Math.ceil(end / 16) * 16);
    end = Math.ceil(end / 16) * 16 + content.length;
  }
  const file = Buffer.alloc(Math.ceil(end / 16) * 16);
  const place = (name: string) => sections.findIndex((section) => section.name === name);
  fileHeader(parts, segments.length, sections.length + 1, file.length).copy(file);
  Buffer.concat(
    segments.map((segment) => {
      const at = place(segment.section);
      return programHeader(parts, segment, sections[at] as SectionParts, offsets[at] as number);
    }),
  ).copy(file, parts.wide ? 64 : 52);
  for (const [index, { content }] of sections.entries()) content.copy(file, offsets[index]);
  const rows = sections.map((section, index) =>
    sectionHeader(
      parts,
      texts.at(section.name),
      section,
      offsets[index] as number,
      section.link ? place(section.link) + 1 : 0,
    ),
  );
  return Buffer.concat([file, sectionZero(parts, segments.length, sections.length), ...rows]);
}

/** NUL-terminated strings, and the offset of each. */
export function stringTable(texts: readonly string[]): { bytes: Buffer; at: (text: string) => number } {
  const bytes = Buffer.from(`\0${texts.map((text) => `${text}\0`).join('')}`);
  return { bytes, at: (text) => bytes.indexOf(`\0${text}\0`) + 1 };
}

/** The rows of a symbol table after the empty first one, and their names. */
export function symbolTable(
  format: ElfClass,
  symbols: readonly SymbolParts[],
): { rows: Buffer; names: Buffer } {
  const names = stringTable(symbols.map((symbol) => symbol.name));
  const rows = symbols.map((symbol) => symbolRow(format, symbol, names.at(symbol.name)));
  return { rows: Buffer.concat([Buffer.alloc(format.wide ? 24 : 16), ...rows]), names: names.bytes };
}

function symbolRow(format: ElfClass, symbol: SymbolParts, name: number): Buffer {
  const info = (symbol.binding ?? 1) * 16 + (symbol.type ?? 2);
  const place: Field[] = [
    [1, info],
    [1, 0],
    [2, symbol.section ?? 1],
  ];
  const range: Field[] = [
    ['word', symbol.value],
    ['word', symbol.size],
  ];
  return numbers(format, [4, name], ...(format.wide ? [...place, ...range] : [...range, ...place]));
}

function fileHeader(parts: ElfParts, segments: number, sections: number, offset: number): Buffer {
  const { wide, extended } = parts;
  const ident = Buffer.alloc(16);
  ident.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, 1, 1]);
  const size = wide ? 64 : 52;
  return Buffer.concat([
    ident,
    numbers(parts, [2, parts.type ?? 3], [2, parts.machine ?? 62], [4, 1], ['word', parts.entry ?? 0]),
    numbers(parts, ['word', segments > 0 ? size : 0], ['word', offset], [4, 0], [2, size]),
    numbers(parts, [2, wide ? 56 : 32], [2, extended ? 0xffff : segments]),
    numbers(parts, [2, wide ? 64 : 40], [2, extended ? 0 : sections], [2, extended ? 0xffff : sections - 1]),
  ]);
}

function programHeader(
  format: ElfClass,
  segment: SegmentParts,
  section: SectionParts,
  offset: number,
): Buffer {
  const { length } = section.content;
  const addr = section.addr ?? 0;
  const flags: Field = [4, segment.flags];
  const place: Field[] = [
    ['word', offset],
    ['word', addr],
    ['word', addr],
    ['word', length],
    ['word', length],
  ];
  const fields: Field[] = format.wide ? [flags, ...place] : [...place, flags];
  return numbers(format, [4, segment.type], ...fields, ['word', section.align ?? 1]);
}

function sectionHeader(
  format: ElfClass,
  name: number,
  section: SectionParts,
  offset: number,
  link: number,
): Buffer {
  return numbers(
    format,
    [4, name],
    [4, section.type],
    ['word', section.flags ?? 0],
    ['word', section.addr ?? 0],
    ['word', offset],
    ['word', section.content.length],
    [4, link],
    [4, 0],
    ['word', section.align ?? 1],
    ['word', section.entsize ?? 0],
  );
}

function sectionZero(parts: ElfParts, segments: number, names: number): Buffer {
  const [size, link, info] = parts.extended ? [names + 1, names, segments] : [0, 0, 0];
  const zeros: Field[] = [4, 4, 'word', 'word', 'word'].map((width) => [width, 0] as Field);
  return numbers(parts, ...zeros, ['word', size], [4, link], [4, info], ['word', 0], ['word', 0]);
}
