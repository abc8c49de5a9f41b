import { z } from 'zod';
import { EXAMPLE } from '../answers/examples.ts';
import { keyId, keyVersion as answeredVersion } from '../answers/key.ts';
import { algorithmId } from '../fields/algorithm.ts';
import { answeredBytes, bytes } from '../fields/bytes.ts';
import { kemCiphertext, keyVersion } from '../fields/crypto.ts';
import { component } from '../fields/wire-schema.ts';
import { LIMITS } from '../bounds/limits.ts';
import { defineRoute, group } from '../route/route.ts';
import { cryptoTraits, keyedBody } from './crypto-traits.ts';

const { minimum, maximum } = LIMITS.derivedKeyBytes;

const version = keyVersion.exactOptional().describe('The version of the key (default: the current one).');
const EXAMPLE_KEY_FIELDS = { keyId: EXAMPLE.keyId, keyVersion: 1 };

export const keyEstablishmentRoutes = group({
  encapsulate: defineRoute({
    ...cryptoTraits('encapsulate'),
    operationId: 'encapsulate',
    summary: 'Encapsulate a shared secret',
    description:
      'To the current version of the KEM key. Keep `keyVersion` with the ciphertext, which does not name it.',
    body: keyedBody({}),
    response: component(
      'EncapsulateAnswer',
      z.object({
        sharedSecret: answeredBytes,
        ciphertext: answeredBytes,
        keyId,
        keyVersion: answeredVersion,
        algorithm: algorithmId,
      }),
    ),
    errors: ['KEY_STATE_INVALID', 'KEY_USAGE_EXCEEDED', 'HSM_UNAVAILABLE'],
    crypto: { operation: 'encapsulate', keyField: 'keyId', keyRequired: true },
    example: {
      body: {},
      answer: {
        sharedSecret: 'c2hhcmVkIHNlY3JldA==',
        ciphertext: 'Y2lwaGVydGV4dA==',
        ...EXAMPLE_KEY_FIELDS,
        algorithm: 'kyber-768',
      },
    },
  }),
  decapsulate: defineRoute({
    ...cryptoTraits('decapsulate'),
    operationId: 'decapsulate',
    summary: 'Decapsulate a shared secret',
    description:
      'A ciphertext that was tampered with yields another secret, not an error (FIPS 203, implicit rejection): confirm the secret before use.',
    body: keyedBody({ ciphertext: kemCiphertext, keyVersion: version }),
    response: component(
      'DecapsulateAnswer',
      z.object({ sharedSecret: answeredBytes, keyId, keyVersion: answeredVersion }),
    ),
    errors: ['KEY_STATE_INVALID', 'DECRYPT_FAILED', 'HSM_UNAVAILABLE'],
    crypto: { operation: 'decapsulate', keyField: 'keyId', keyRequired: true },
    example: {
      body: { ciphertext: 'Y2lwaGVydGV4dA==' },
      answer: { sharedSecret: 'c2hhcmVkIHNlY3JldA==', ...EXAMPLE_KEY_FIELDS },
    },
  }),
  derive: defineRoute({
    ...cryptoTraits('derive'),
    operationId: 'derive',
    summary: 'Derive a key by key agreement',
    description:
      'Key agreement with the public key of a peer, then HKDF-SHA-256 (RFC 5869); the raw shared secret never leaves the service.',
    body: keyedBody({
      peerPublicKey: bytes({ minimum: 1, maximum: LIMITS.publicKeyBytes }).describe(
        'SubjectPublicKeyInfo in DER, on the curve of the key.',
      ),
      info: bytes({ maximum: LIMITS.deriveInfoBytes })
        .exactOptional()
        .describe('What the derived key is for, and between which parties.'),
      salt: bytes({ maximum: LIMITS.deriveInfoBytes }).exactOptional(),
      length: z
        .int()
        .min(minimum)
        .max(maximum)
        .exactOptional()
        .describe('The length of the derived key in bytes (default: 32).'),
      keyVersion: version,
    }),
    response: component(
      'DeriveAnswer',
      z.object({ derivedKey: answeredBytes, keyId, keyVersion: answeredVersion, algorithm: algorithmId }),
    ),
    errors: ['KEY_STATE_INVALID', 'KEY_USAGE_EXCEEDED', 'HSM_UNAVAILABLE'],
    crypto: { operation: 'derive', keyField: 'keyId', keyRequired: true },
    example: {
      body: { peerPublicKey: 'MCowBQYDK2VuAyEA3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=', info: 'c2Vzc2lvbg==' },
      answer: { derivedKey: 'ZGVyaXZlZCBrZXk=', ...EXAMPLE_KEY_FIELDS, algorithm: 'x25519' },
    },
  }),
});
