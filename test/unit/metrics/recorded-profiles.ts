import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { Run } from '../../../metrics/diff.ts';
import { replay } from '../../../metrics/replay.ts';
import { type Profile, profileSchema } from '../../../metrics/schema.ts';

/** The profile of a recording, as another process would read it. */
export function recorded(version: string, name: string): Profile {
  const packed = readFileSync(`fixtures/recordings/${version}/${name}.json.gz`);
  return profileSchema.parse(replay(JSON.parse(gunzipSync(packed).toString())));
}

export function runOf(profile: Profile, file = 'a.json'): Run {
  return { file, profile };
}
