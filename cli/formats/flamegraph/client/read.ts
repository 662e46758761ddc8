import { decodeProfile, type FlameProfile } from '../flame-profile.ts';
import { element } from './elements.ts';

/** Unpacks the data that is embedded in the page: base64 of gzip. */
export async function readProfile(): Promise<FlameProfile> {
  const text = atob(element('data').textContent ?? '');
  const packed = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) packed[i] = text.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
  return decodeProfile(new Uint8Array(await new Response(stream).arrayBuffer()));
}
