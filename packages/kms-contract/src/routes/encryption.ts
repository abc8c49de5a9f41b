import { z } from 'zod';
import { EXAMPLE } from '../answers/examples.ts';
import { keyId, keyVersion } from '../answers/key.ts';
import { algorithmId } from '../fields/algorithm.ts';
import { answeredBytes } from '../fields/bytes.ts';
import { ciphertext, encryptionContext, plaintext } from '../fields/crypto.ts';
import { uuid } from '../fields/uuid.ts';
import { component } from '../fields/wire-schema.ts';
import { BASE_PATH, defineRoute, group, tenantId } from '../route/route.ts';
import { cryptoBody, cryptoTraits, keyedBody } from './crypto-traits.ts';

const USE_ERRORS = ['KEY_STATE_INVALID', 'HSM_UNAVAILABLE'] as const;

const encrypted = component(
  'EncryptAnswer',
  z.object({ ciphertext: answeredBytes, keyId, keyVersion, algorithm: algorithmId }),
);
const context = encryptionContext.exactOptional();

const EXAMPLE_CIPHERTEXT = 'AQEBmPKlDB1+L4o7TF1ufwAAAAE=';
const EXAMPLE_ENCRYPTED = {
  ciphertext: EXAMPLE_CIPHERTEXT,
  keyId: EXAMPLE.keyId,
  keyVersion: 1,
  algorithm: 'aes-256-gcm',
};

export const encryptionRoutes = group({
  encrypt: defineRoute({
    ...cryptoTraits('encrypt'),
    also: [{ method: 'POST', path: `${BASE_PATH}/encrypt` }],
    operationId: 'encrypt',
    summary: 'Encrypt',
    description: 'Under the current version of the key.',
    body: keyedBody({ plaintext, context }),
    response: encrypted,
    errors: [...USE_ERRORS, 'KEY_USAGE_EXCEEDED'],
    crypto: { operation: 'encrypt', keyField: 'keyId', keyRequired: true },
    example: { body: { plaintext: 'aGVsbG8=', context: { order: '42' } }, answer: EXAMPLE_ENCRYPTED },
  }),
  decrypt: defineRoute({
    ...cryptoTraits('decrypt'),
    also: [{ method: 'POST', path: `${BASE_PATH}/decrypt` }],
    operationId: 'decrypt',
    summary: 'Decrypt',
    description:
      'Under whichever version made the ciphertext. A ciphertext names its key: a `keyId` only says which one it must be. Whatever is wrong ' +
      'with ciphertext or context, the error is the same `DECRYPT_FAILED`.',
    body: cryptoBody({ ciphertext, context }),
    response: component('DecryptAnswer', z.object({ plaintext: answeredBytes, keyId, keyVersion })),
    errors: [...USE_ERRORS, 'DECRYPT_FAILED'],
    crypto: { operation: 'decrypt', keyField: 'keyId', keyRequired: false },
    example: {
      body: { ciphertext: EXAMPLE_CIPHERTEXT, context: { order: '42' } },
      answer: { plaintext: 'aGVsbG8=', keyId: EXAMPLE.keyId, keyVersion: 1 },
    },
  }),
  reencrypt: defineRoute({
    ...cryptoTraits('reencrypt'),
    also: [{ method: 'POST', path: `${BASE_PATH}/reencrypt` }],
    operationId: 'reencrypt',
    summary: 'Re-encrypt',
    description:
      'Moves a ciphertext to the current version of the same or another key; the plaintext never leaves the service. The ciphertext names its ' +
      'own key; the key of the path, or `sourceKeyId`, only says which one it must be. `keyId` in the body is a synonym of `destinationKeyId`.',
    body: z.strictObject({
      tenantId,
      sourceKeyId: uuid
        .exactOptional()
        .describe('The key that the ciphertext must be under; if the path names it too, it must be the same.'),
      destinationKeyId: uuid.exactOptional().describe('The key to encrypt under (default: the same key).'),
      ciphertext,
      context: context.describe('The context of the ciphertext.'),
      newContext: context.describe('The context of the new ciphertext (default: the same context).'),
    }),
    response: encrypted,
    errors: [...USE_ERRORS, 'DECRYPT_FAILED', 'KEY_USAGE_EXCEEDED', 'QUOTA_EXCEEDED'],
    crypto: { operation: 'reencrypt', keyField: 'sourceKeyId', keyRequired: false },
    example: {
      body: { ciphertext: EXAMPLE_CIPHERTEXT, context: { order: '42' }, destinationKeyId: EXAMPLE.otherKeyId },
      answer: { ...EXAMPLE_ENCRYPTED, keyId: EXAMPLE.otherKeyId },
    },
  }),
});
