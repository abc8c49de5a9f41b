import type { Issue } from '@qnsp/kms-core';
import { WRAPPING_ALGORITHMS } from '@qnsp/kms-core/internal';
import { z } from 'zod';
import { EXAMPLE, EXAMPLE_KEY } from '../answers/examples.ts';
import { keySchema } from '../answers/key.ts';
import { algorithm } from '../fields/algorithm.ts';
import { answeredBytes, bytes } from '../fields/bytes.ts';
import { answeredInstant } from '../fields/instant.ts';
import { uuid } from '../fields/uuid.ts';
import { component } from '../fields/wire-schema.ts';
import { LIMITS } from '../bounds/limits.ts';
import { BASE_PATH, defineRoute, group, tenantId } from '../route/route.ts';
import { chosenSettings } from './keys.ts';

const importBody = z.strictObject({
  tenantId,
  algorithm,
  keyId: uuid
    .exactOptional()
    .describe('An imported key to give a new version; if absent, the import creates a new key.'),
  wrappingAlgorithm: z.enum(WRAPPING_ALGORITHMS),
  importToken: bytes({ minimum: 1, maximum: LIMITS.importTokenBytes }).describe(
    'The token that came with the wrapping key.',
  ),
  wrappedMaterial: bytes({ minimum: 1, maximum: LIMITS.wrappedMaterialBytes }).describe(
    'RSA: OAEP with SHA-256 of a fresh AES-256 key (512 bytes), then the material under AES-KWP with that key. ML-KEM: the ciphertext ' +
      '(1,088 bytes), then the material under AES-KWP with the shared secret. The material is the raw secret key, or PKCS#8 in DER.',
  ),
  protectionLevel: z
    .enum(['software', 'hsm'])
    .exactOptional()
    .describe('Only `software`: key material that existed outside an HSM cannot be imported into one.'),
  ...chosenSettings,
});

/** The import of a version changes no setting, so one that is sent is a mistake. */
function settingsOfVersion(body: z.output<typeof importBody>): readonly Issue[] {
  if (body.keyId === undefined) return [];
  return Object.keys(chosenSettings)
    .filter((name) => name in body)
    .map((name) => ({ path: name, reason: 'cannot be set when importing a version; change the key instead' }));
}

export const keyImportRoutes = group({
  getImportParameters: defineRoute({
    operationId: 'getImportParameters',
    method: 'GET',
    path: `${BASE_PATH}/byok/parameters`,
    tag: 'Key import',
    summary: 'Get a public key to wrap key material with',
    description:
      'A fresh wrapping key and the token to send with the material wrapped under it, both valid until `expiresAt`.',
    auth: 'bearer',
    query: z.strictObject({
      tenantId,
      wrappingAlgorithm: z.enum(WRAPPING_ALGORITHMS).exactOptional().describe('Default: `RSA_AES_KEY_WRAP_SHA_256`.'),
    }),
    response: component(
      'ImportParameters',
      z.object({
        wrappingAlgorithm: z.enum(WRAPPING_ALGORITHMS),
        publicKey: answeredBytes.describe('SubjectPublicKeyInfo in DER.'),
        publicKeyPem: z.string().describe('The same key in PEM.'),
        importToken: answeredBytes,
        expiresAt: answeredInstant,
      }),
    ),
    status: 200,
    errors: [],
    mutating: false,
    example: {
      query: { wrappingAlgorithm: 'ML_KEM_768_AES_KWP' },
      answer: {
        wrappingAlgorithm: 'ML_KEM_768_AES_KWP',
        publicKey: 'MIIEsjALBglghkgBZQMEBAIDggShAA==',
        publicKeyPem: '-----BEGIN PUBLIC KEY-----\nMIIEsjALBglghkgBZQMEBAIDggShAA==\n-----END PUBLIC KEY-----\n',
        importToken: 'c2VhbGVk',
        expiresAt: EXAMPLE.later,
      },
    },
  }),
  importKey: defineRoute({
    operationId: 'importKey',
    method: 'POST',
    path: `${BASE_PATH}/byok/import`,
    tag: 'Key import',
    summary: 'Import key material',
    description:
      'Creates a key from imported material, or with `keyId` a new version of an imported key. Imported keys can be rotated only by another import. ' +
      '`label` is a synonym of `name`.',
    auth: 'bearer',
    synonyms: { name: 'label' },
    body: importBody,
    check: settingsOfVersion,
    response: keySchema,
    status: 201,
    errors: ['NOT_FOUND', 'CONFLICT', 'KEY_STATE_INVALID', 'QUOTA_EXCEEDED', 'HSM_UNAVAILABLE'],
    mutating: true,
    example: {
      body: {
        name: 'imported',
        algorithm: 'aes-256-gcm',
        wrappingAlgorithm: 'ML_KEM_768_AES_KWP',
        importToken: 'c2VhbGVk',
        wrappedMaterial: 'd3JhcHBlZA==',
      },
      answer: { ...EXAMPLE_KEY, name: 'imported' },
    },
  }),
});
