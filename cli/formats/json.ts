import type { Facts } from '../../metrics/facts.ts';
import { metadataOf } from '../../metrics/profile.ts';
import type { MetadataLine, Profile, Sample } from '../../metrics/schema.ts';

/** The whole result, indented, as one JSON document. */
export function jsonView(profile: Profile): string {
  return `${JSON.stringify(profile, null, 2)}\n`;
}

/** One line of a jsonl result. */
export function jsonLine(value: MetadataLine | Sample | Profile): string {
  return `${JSON.stringify(value)}\n`;
}

/** The first line of a jsonl result. */
export function metadataLine(facts: Facts): MetadataLine {
  return { kind: 'metadata', schema: 'btprof/1', ...metadataOf(facts) };
}
