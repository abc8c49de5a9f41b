import { createPublicKey, type KeyObject } from 'node:crypto';
import { EC_OID, RSA_OID } from '../algorithms/key-encodings.ts';
import { TAG } from './der-reader.ts';
import { derElement, derIdentifier } from './der-writer.ts';
import { curveOfEcPrivateKey } from './ec-key.ts';
import { writeAlgorithm, writePrivateKeyInfo } from './key-containers.ts';
import { readPrivateKey } from './read-private-key.ts';
import { readPublicKey } from './read-public-key.ts';
import { demand, RefusedMaterial } from './refused-material.ts';
import { demandPrimesNow } from './rsa-key.ts';

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----([^]*?)-----END \1-----/g;

/**
 * The private key in a PEM file (RFC 7468) as PKCS #8, PKCS #1 or SEC 1, checked against the standard of its type as
 * imported material is. It computes for as long as it takes, so it is for keys that are read once, at the start.
 *
 * @throws RefusedMaterial with the rule that it breaks, and nothing of the key.
 */
export function privateKeyInPem(pem: string): KeyObject {
  const keys = [...pem.matchAll(BLOCK)].filter(([, label = '']) => label.endsWith('PRIVATE KEY'));
  const [block] = keys;
  demand(block !== undefined, 'there is no private key in PEM');
  demand(keys.length === 1, 'there is more than one private key');
  const [, label = '', text = ''] = block;
  demand(!label.startsWith('ENCRYPTED') && !text.includes('ENCRYPTED'), 'the private key is encrypted');
  const { key, rsa } = readPrivateKey(contained(label, octetsOf(text)), () => undefined);
  if (rsa !== null) demandPrimesNow(rsa);
  return key;
}

/**
 * The public key in a PEM file: SubjectPublicKeyInfo, or what else OpenSSL takes a public key from.
 *
 * @throws RefusedMaterial with the rule that it breaks.
 */
export function publicKeyInPem(pem: string): KeyObject {
  const blocks = [...pem.matchAll(BLOCK)];
  const [[, label = '', text = ''] = []] = blocks;
  const spki = blocks.length === 1 && label === 'PUBLIC KEY' ? octetsOf(text) : spkiOf(pem);
  return readPublicKey(spki, () => undefined);
}

/** The base64 of a block, taken strictly: a letter that went wrong must not become another key. */
function octetsOf(text: string): Buffer {
  const base64 = text.replaceAll(/\s/g, '');
  const octets = Buffer.from(base64, 'base64');
  demand(octets.toString('base64') === base64, 'the key in PEM is not in base64');
  return octets;
}

/** PKCS #8 around the forms that came before it. */
function contained(label: string, octets: Buffer): Buffer {
  switch (label) {
    case 'PRIVATE KEY':
      return octets;
    case 'RSA PRIVATE KEY':
      return writePrivateKeyInfo(writeAlgorithm(RSA_OID, derElement(TAG.null)), octets);
    case 'EC PRIVATE KEY': {
      const curve = curveOfEcPrivateKey(octets);
      demand(curve !== null, 'the key does not name its curve (RFC 5915)');
      return writePrivateKeyInfo(writeAlgorithm(EC_OID, derIdentifier(curve)), octets);
    }
    default:
      throw new RefusedMaterial(`a private key in the form ${label} is not supported: write it as PKCS #8`);
  }
}

function spkiOf(pem: string): Buffer {
  try {
    return createPublicKey(pem).export({ format: 'der', type: 'spki' });
  } catch {
    throw new RefusedMaterial('there is no public key in PEM');
  }
}
