import type { UnsignedApiTokenRecord } from '../src/access/api-token.ts';
import type { UnsignedKeyRecord } from '../src/model/key.ts';

const TENANT = '018f0000-0000-7000-8000-000000000001';
const at = (seconds: number) => new Date(1_700_000_000_000 + seconds * 1000);

/** A key with a value in each field that format 1 has, and versions with each kind of material. */
export const FIRST_KEY: UnsignedKeyRecord = {
  tenantId: TENANT,
  keyId: '018f0000-0000-7000-8000-00000000000a',
  name: 'payments ✓',
  algorithm: 'ml-dsa-65',
  purpose: 'signing',
  protectionLevel: 'hsm',
  state: 'revoked',
  stateBeforeDestroy: 'suspended',
  revocation: { reason: 'end_of_life', at: at(5) },
  currentVersion: 3,
  versions: [
    {
      version: 1,
      state: 'destroyed',
      algorithm: 'ed25519',
      origin: 'imported',
      provider: 'software',
      material: { kind: 'none' },
      publicKey: Buffer.from('a public key'),
      createdAt: at(0),
      fields: {},
    },
    {
      version: 2,
      state: 'decrypt-only',
      algorithm: 'ed25519',
      origin: 'generated',
      provider: 'software',
      material: { kind: 'sealed', tmkVersion: 1, sealed: Buffer.from('sealed material') },
      publicKey: Buffer.from('another public key'),
      createdAt: at(1),
      fields: {},
    },
    {
      version: 3,
      state: 'active',
      algorithm: 'ml-dsa-65',
      origin: 'generated',
      provider: 'hsm-a',
      material: { kind: 'resident', handle: Buffer.from('a handle') },
      publicKey: null,
      createdAt: at(2),
      fields: {},
    },
  ],
  rotation: { periodSeconds: 86_400, auto: true, retainVersions: 2, nextRotationAt: at(86_400) },
  usageLimits: { maxOperations: 2 ** 40, expiresAt: at(1_000_000) },
  policy: { version: '1', statements: [{ effect: 'allow', actions: ['kms:*'], resources: ['*'] }] },
  metadata: { team: 'a', '10': ['ten', null, 1.5] },
  parentKeyId: '018f0000-0000-7000-8000-00000000000b',
  revision: 7,
  createdAt: at(0),
  updatedAt: at(6),
  destroyAt: at(7),
  fields: {},
};

/** A token with a value in each field that format 1 has. */
export const FIRST_TOKEN: UnsignedApiTokenRecord = {
  tokenId: '018f0000-0000-7000-8000-00000000000c',
  tenantId: TENANT,
  name: 'ci ✓',
  hash: Buffer.alloc(32, 9),
  role: 'key_user',
  permissions: ['kms:encrypt', 'kms:keys:read'],
  createdAt: at(0),
  expiresAt: at(1),
  revokedAt: at(2),
  fields: {},
};
