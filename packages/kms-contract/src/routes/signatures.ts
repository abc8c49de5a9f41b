import { z } from 'zod';
import { EXAMPLE } from '../answers/examples.ts';
import { keyId, keyVersion as answeredVersion } from '../answers/key.ts';
import { algorithmId } from '../fields/algorithm.ts';
import { answeredBytes } from '../fields/bytes.ts';
import {
  keyVersion,
  mac,
  message,
  messageType,
  signature,
  signatureContext,
  signatureFormat,
  signatureHash,
  signatureScheme,
} from '../fields/crypto.ts';
import { component } from '../fields/wire-schema.ts';
import { LIMITS } from '../bounds/limits.ts';
import { BASE_PATH, defineRoute, group } from '../route/route.ts';
import { cryptoTraits, keyedBody } from './crypto-traits.ts';

const MAKE_ERRORS = ['KEY_STATE_INVALID', 'KEY_USAGE_EXCEEDED', 'HSM_UNAVAILABLE'] as const;
const CHECK_ERRORS = ['KEY_STATE_INVALID', 'HSM_UNAVAILABLE'] as const;

const data = message.describe('The message itself, or with `messageType: digest` its digest. `message` is a synonym.');
const options = {
  context: signatureContext.exactOptional(),
  format: signatureFormat.exactOptional(),
  scheme: signatureScheme.exactOptional(),
  messageType: messageType.exactOptional(),
  hash: signatureHash.exactOptional(),
};
const version = keyVersion
  .exactOptional()
  .describe(
    `Only this version; if absent, the newest ${LIMITS.triedVersions} that may still verify. If none of them accepts and the key ` +
      'has older ones, the answer is `BAD_REQUEST`, which asks for the version.',
  );

const signingVersion = keyVersion
  .exactOptional()
  .describe('Sign with this version or not at all: one that was superseded no longer signs (`KEY_STATE_INVALID`).');
const macVersion = keyVersion
  .exactOptional()
  .describe(
    'The version (default: the current one). One that was superseded is possible as long as it verifies, so that codes that were ' +
      'stored, such as those of an index, can be found after a rotation.',
  );

const verified = component(
  'VerifyAnswer',
  z.object({
    valid: z.boolean(),
    keyId,
    keyVersion: answeredVersion.describe(
      'The version that made it; if it is not valid, the version that was tried first.',
    ),
    algorithm: algorithmId,
  }),
);

const EXAMPLE_KEY_FIELDS = { keyId: EXAMPLE.keyId, keyVersion: 1 };

export const signatureRoutes = group({
  sign: defineRoute({
    ...cryptoTraits('sign'),
    also: [{ method: 'POST', path: `${BASE_PATH}/sign` }],
    operationId: 'sign',
    summary: 'Sign',
    description: 'With the current version of the key.',
    body: keyedBody({ data, ...options, keyVersion: signingVersion }),
    response: component(
      'SignAnswer',
      z.object({ signature: answeredBytes, keyId, keyVersion: answeredVersion, algorithm: algorithmId }),
    ),
    errors: MAKE_ERRORS,
    crypto: { operation: 'sign', keyField: 'keyId', keyRequired: true },
    example: {
      body: { data: 'aGVsbG8=' },
      answer: { signature: 'c2lnbmF0dXJl', ...EXAMPLE_KEY_FIELDS, algorithm: 'dilithium-3' },
    },
  }),
  verify: defineRoute({
    ...cryptoTraits('verify'),
    also: [{ method: 'POST', path: `${BASE_PATH}/verify` }],
    operationId: 'verify',
    summary: 'Verify a signature',
    description: 'A signature that does not match is not an error: the answer says `valid: false`.',
    body: keyedBody({ data, signature, ...options, keyVersion: version }),
    response: verified,
    errors: CHECK_ERRORS,
    crypto: { operation: 'verify', keyField: 'keyId', keyRequired: true },
    example: {
      body: { data: 'aGVsbG8=', signature: 'c2lnbmF0dXJl' },
      answer: { valid: true, ...EXAMPLE_KEY_FIELDS, algorithm: 'dilithium-3' },
    },
  }),
  mac: defineRoute({
    ...cryptoTraits('mac'),
    operationId: 'mac',
    summary: 'Compute a message authentication code',
    description: 'Under the current version of the key, or under the one that is named.',
    body: keyedBody({ data: message.describe('The message itself.'), keyVersion: macVersion }),
    response: component(
      'MacAnswer',
      z.object({ mac: answeredBytes, keyId, keyVersion: answeredVersion, algorithm: algorithmId }),
    ),
    errors: MAKE_ERRORS,
    crypto: { operation: 'mac', keyField: 'keyId', keyRequired: true },
    example: { body: { data: 'aGVsbG8=' }, answer: { mac: 'bWFj', ...EXAMPLE_KEY_FIELDS, algorithm: 'hmac-sha256' } },
  }),
  verifyMac: defineRoute({
    ...cryptoTraits('mac/verify'),
    operationId: 'verifyMac',
    summary: 'Verify a message authentication code',
    description: 'A code that does not match is not an error: the answer says `valid: false`.',
    body: keyedBody({ data: message.describe('The message itself.'), mac, keyVersion: version }),
    response: verified,
    errors: CHECK_ERRORS,
    crypto: { operation: 'mac-verify', keyField: 'keyId', keyRequired: true },
    example: {
      body: { data: 'aGVsbG8=', mac: 'bWFj' },
      answer: { valid: true, ...EXAMPLE_KEY_FIELDS, algorithm: 'hmac-sha256' },
    },
  }),
});
