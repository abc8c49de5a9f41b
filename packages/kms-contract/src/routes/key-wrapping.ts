import { z } from 'zod';
import { EXAMPLE } from '../answers/examples.ts';
import { keyId, keyVersion } from '../answers/key.ts';
import { algorithmId } from '../fields/algorithm.ts';
import { answeredBytes } from '../fields/bytes.ts';
import { associatedData, dataKey, wrappedKey } from '../fields/crypto.ts';
import { line } from '../fields/text.ts';
import { component } from '../fields/wire-schema.ts';
import { LIMITS } from '../bounds/limits.ts';
import { defineRoute, group } from '../route/route.ts';
import { cryptoTraits, keyedBody } from './crypto-traits.ts';

const ERRORS = ['KEY_STATE_INVALID', 'KEY_USAGE_EXCEEDED', 'HSM_UNAVAILABLE'] as const;
const { minimum, maximum } = LIMITS.dataKeyBytes;

const provider = z.string().describe('The provider whose root or hardware protects the wrapping key.');
const wrapped = { keyId, keyVersion, wrappedKey: answeredBytes, algorithm: algorithmId, provider };
const EXAMPLE_WRAPPED = {
  keyId: EXAMPLE.keyId,
  keyVersion: 1,
  wrappedKey: 'AQEBmPKlDB1+L4o7TF1ufwAAAAE=',
  algorithm: 'aes-256-gcm',
  provider: 'software',
};

export const keyWrappingRoutes = group({
  wrap: defineRoute({
    ...cryptoTraits('wrap'),
    operationId: 'wrap',
    summary: 'Wrap a key',
    description: 'Under the current version of the key.',
    body: keyedBody({ dataKey, associatedData: associatedData.exactOptional() }),
    response: component('WrapAnswer', z.object(wrapped)),
    errors: ERRORS,
    crypto: { operation: 'wrap', keyField: 'keyId', keyRequired: true },
    example: { body: { dataKey: 'MDEyMzQ1Njc4OWFiY2RlZg==', associatedData: 'b3JkZXJz' }, answer: EXAMPLE_WRAPPED },
  }),
  unwrap: defineRoute({
    ...cryptoTraits('unwrap'),
    operationId: 'unwrap',
    summary: 'Unwrap a key',
    description:
      'Whatever is wrong with the wrapped key or the associated data, the error is the same `DECRYPT_FAILED`.',
    body: keyedBody({
      wrappedKey,
      associatedData: associatedData.exactOptional(),
      providerHint: line(LIMITS.nameCharacters)
        .exactOptional()
        .describe('The `provider` of the wrapped key. It has no effect: the wrapped key itself says what opens it.'),
    }),
    response: component('UnwrapAnswer', z.object({ dataKey: answeredBytes, keyId, keyVersion })),
    errors: ['KEY_STATE_INVALID', 'DECRYPT_FAILED', 'HSM_UNAVAILABLE'],
    crypto: { operation: 'unwrap', keyField: 'keyId', keyRequired: true },
    example: {
      body: { wrappedKey: 'AQEBmPKlDB1+L4o7TF1ufwAAAAE=', associatedData: 'b3JkZXJz' },
      answer: { dataKey: 'MDEyMzQ1Njc4OWFiY2RlZg==', keyId: EXAMPLE.keyId, keyVersion: 1 },
    },
  }),
  createDataKey: defineRoute({
    ...cryptoTraits('data-key'),
    operationId: 'createDataKey',
    summary: 'Create a data key',
    description:
      'A fresh key, wrapped under the current version of the key; `unwrap` opens it. Encrypt with it locally, then discard it and keep the wrapped one.',
    body: keyedBody({
      bytes: z
        .int()
        .min(minimum)
        .max(maximum)
        .exactOptional()
        .describe('The length of the data key in bytes (default: 32).'),
      associatedData: associatedData.exactOptional(),
      withPlaintext: z
        .boolean()
        .exactOptional()
        .describe('Whether the answer holds the data key itself in addition to the wrapped one (default: true).'),
    }),
    response: component('DataKeyAnswer', z.object({ ...wrapped, dataKey: answeredBytes.exactOptional() })),
    errors: ERRORS,
    crypto: { operation: 'data-key', keyField: 'keyId', keyRequired: true },
    example: { body: { bytes: 16 }, answer: { ...EXAMPLE_WRAPPED, dataKey: 'MDEyMzQ1Njc4OWFiY2RlZg==' } },
  }),
});
