import type { OctetEncoding } from '../algorithms/key-encodings.ts';
import { contextTag, DerReader, TAG } from './der-reader.ts';
import { demand } from './refused-material.ts';

/**
 * Holds what a container has as the private key of EdDSA, X25519, ML-DSA, ML-KEM or SLH-DSA against its standard: exact
 * lengths, nothing more. Whether a seed and an expanded key beside it, and the parts of an expanded key, belong together
 * is for OpenSSL to say, which computes one from the other, and for SLH-DSA for the pairwise test.
 *
 * @throws RefusedMaterial
 */
export function demandOctetKey(der: Uint8Array, { form, privateBytes, seedBytes }: OctetEncoding): void {
  const rule = `the private key does not have the ${privateBytes} octets of its algorithm`;
  if (form === 'bare') return demand(der.length === privateBytes, rule);
  const key = new DerReader(der, 'the private key');
  const seedTag = contextTag(0, 'primitive');
  const demandSeed = (reader: DerReader, tag: number) =>
    demand(reader.content(tag, 'seed').length === seedBytes, `the seed does not have ${seedBytes} octets`);
  if (form === 'seed-or-expanded' && key.isNext(seedTag)) {
    demandSeed(key, seedTag);
  } else if (form === 'seed-or-expanded' && key.isNext(TAG.sequence)) {
    const both = key.inside(TAG.sequence, 'seed and expanded key');
    demandSeed(both, TAG.octetString);
    demand(both.content(TAG.octetString, 'expanded key').length === privateBytes, rule);
    both.end();
  } else {
    demand(key.content(TAG.octetString, 'octet string with the key').length === privateBytes, rule);
  }
  key.end();
}
