import { spawnSync } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import * as slhDsa from '@noble/post-quantum/slh-dsa.js';
import type { Algorithm } from '../../src/algorithms/registry.ts';
import type { GeneratedMaterial } from '../../src/engines/software-material.ts';
import { LATTICES, isLattice, keyIn } from './containers.ts';
import { OTHER_CURVES } from './other-curves.ts';

/**
 * The public half of material that was taken, as another implementation computes it from the private half; throws for
 * what that one does not take for a key.
 */
export function judge({ form }: Algorithm, { secret, publicKey }: GeneratedMaterial): Judgement {
  const key = keyIn(secret);
  const spki = createPublicKey({ key: Buffer.from(publicKey ?? []), format: 'der', type: 'spki' });
  switch (form.kind) {
    case 'rsa': {
      const run = spawnSync('openssl', ['pkey', '-inform', 'DER', '-check', '-pubout', '-outform', 'PEM'], {
        input: secret,
      });
      const [pem = ''] = /-----BEGIN[^]*KEY-----\n/.exec(run.stdout.toString()) ?? [];
      if (!run.stdout.includes('Key is valid')) throw new Error(`openssl: ${String(run.stdout)} ${String(run.stderr)}`);
      return { found: spki.export({ format: 'pem', type: 'spki' }), expected: pem };
    }
    case 'ec': {
      const { d = '' } = key.export({ format: 'jwk' });
      const point = Buffer.from(OTHER_CURVES[form.namedCurve].getPublicKey(Buffer.from(d, 'base64url'), false));
      return { found: rawPoint(spki.export({ format: 'jwk' })), expected: point.toString('hex') };
    }
    case 'node-key': {
      const expected = Buffer.from(octetsPublic(form.keyType, key)).toString('hex');
      return { found: spki.export({ format: 'raw-public' }).toString('hex'), expected };
    }
    default:
      throw new TypeError('not a pair in a container');
  }
}

interface Judgement {
  readonly found: string;
  readonly expected: string;
}

function rawPoint({ x = '', y = '' }: { readonly x?: string; readonly y?: string }): string {
  return `04${Buffer.from(x, 'base64url').toString('hex')}${Buffer.from(y, 'base64url').toString('hex')}`;
}

function octetsPublic(keyType: string, key: ReturnType<typeof keyIn>): Uint8Array {
  if (keyType === 'ed25519') return ed25519.getPublicKey(key.export({ format: 'raw-private' }));
  if (keyType === 'x25519') return x25519.getPublicKey(key.export({ format: 'raw-private' }));
  if (isLattice(keyType)) return latticePublic(keyType, key);
  const secret = key.export({ format: 'raw-private' });
  return slhDsaOf(keyType).keygen(secret.subarray(0, (secret.length * 3) / 4)).publicKey;
}

function latticePublic(keyType: keyof typeof LATTICES, key: ReturnType<typeof keyIn>): Uint8Array {
  const { seedLength, secretLength } = lengthsOf(keyType);
  const pkcs8 = key.export({ format: 'der', type: 'pkcs8' });
  const implementation = LATTICES[keyType];
  // What was imported expanded has no seed, and its container ends with the expanded key.
  return pkcs8.length < secretLength
    ? implementation.keygen(pkcs8.subarray(pkcs8.length - seedLength)).publicKey
    : implementation.getPublicKey(pkcs8.subarray(pkcs8.length - secretLength));
}

function lengthsOf(keyType: keyof typeof LATTICES) {
  const { seed = 0, secretKey = 0 } = LATTICES[keyType].lengths;
  return { seedLength: seed, secretLength: secretKey };
}

function slhDsaOf(keyType: string): typeof slhDsa.slh_dsa_sha2_128f {
  const name = keyType.replaceAll('-', '_');
  const found = Object.entries(slhDsa).find(([exported]) => exported === name)?.[1];
  if (found === undefined || typeof found !== 'object') throw new TypeError(`no other implementation of ${keyType}`);
  return found as typeof slhDsa.slh_dsa_sha2_128f;
}
