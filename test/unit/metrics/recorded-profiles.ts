import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { PROFILERS } from '../../../bt/profilers/profiler-registry.ts';
import { type KeptRun, replay } from '../../../metrics/replay.ts';
import { type Profile, schemasOf } from '../../../metrics/schema.ts';
import type { Side } from '../../../metrics/sides.ts';

const { profileSchema } = schemasOf(PROFILERS);

/** The profile of a recording, as another process would read it. */
export function recorded(version: string, name: string): Profile {
  return profileSchema.parse(replay(keptRun(version, name), PROFILERS));
}

export function keptRun(version: string, name: string): KeptRun {
  const packed = readFileSync(`fixtures/recordings/${version}/${name}.json.gz`);
  return JSON.parse(gunzipSync(packed).toString());
}

/** A result to compare. */
export function sideOf(profile: Profile, file = 'a.json'): Side {
  return { file, profile };
}
