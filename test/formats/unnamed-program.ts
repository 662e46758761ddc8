import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import type { Offcpu } from '../../bt/profilers/offcpu/off-schema.ts';
import type { Frame } from '../../metrics/fields.ts';
import type { Profile } from '../../metrics/schema.ts';
import { constructedProfile } from '../unit/cli/formats/constructed-profile.ts';

/** The label marks the address that `take` returns to, on the line after its call. */
const SOURCE = `void take(void) {}
int main(void) {
  take();
  __asm__ volatile(".globl returned\\nreturned:");
  return 0;
}
`;

/** A wait in `take`, called by `main`. The file of the program exists, but the profile lacks its names. */
export async function unnamedProgram(dir: string): Promise<Profile> {
  const [path, source] = [join(dir, 'work'), join(dir, 'work.c')];
  writeFileSync(source, SOURCE);
  await execa`cc -g -O0 -no-pie -Wl,--build-id -o ${path} ${source}`;
  const { stdout: symbols } = await execa`nm ${path}`;
  const frames = ['take', 'returned'].map((name): Frame => {
    const [, digits] = new RegExp(`^0*(\\w+) T ${name}$`, 'm').exec(symbols) ?? [];
    return { address: `0x${digits}`, symbol: null, module: path, offset: 0, mapping: 0 };
  });
  const { metadata, ebpf, ...rest } = constructedProfile();
  const offcpu = ebpf.offcpu as Offcpu;
  const stacks = offcpu.stacks.slice(0, 1).map((stack) => ({ ...stack, user: [0, 1], kernel: [] }));
  const mappings = [await mappingOf(path)];
  return {
    ...rest,
    metadata: { ...metadata, executable: path },
    ebpf: { offcpu: { ...offcpu, stacks, still_blocked: [], frames, mappings } },
  };
}

async function mappingOf(path: string): Promise<Offcpu['mappings'][number]> {
  const { stdout: notes } = await execa`readelf -nW ${path}`;
  const { stdout: segments } = await execa`readelf -lW ${path}`;
  const buildId = /Build ID: (\w+)/.exec(notes)?.[1] ?? null;
  // "  LOAD           0x001000 0x0000000000401000 0x0000000000401000 0x000141 0x000141 R E 0x1000"
  const [, offset = '', start = ''] = /LOAD +(0x\w+) (0x\w+) .* R E /.exec(segments) ?? [];
  const hex = (address: bigint) => `0x${address.toString(16)}`;
  return {
    ...{ start: hex(BigInt(start)), end: hex(BigInt(start) + 4096n) },
    ...{ file_offset: Number(offset), path, build_id: buildId },
  };
}
