/** Values that examples share. */
export const EXAMPLE = {
  tenantId: '0198f2a4-5b6c-7d8e-9f01-23456789abcd',
  keyId: '0198f2a5-0c1d-7e2f-8a3b-4c5d6e7f8091',
  otherKeyId: '0198f2a6-1d2e-7f30-9b4c-5d6e7f8091a2',
  tokenId: '0198f2a7-2e3f-7041-8c5d-6e7f8091a2b3',
  otherTokenId: '0198f2a8-3f40-7152-9d6e-7f8091a2b3c4',
  bindingId: '0198f2a8-3f40-7152-8d6e-7f8091a2b3c4',
  instant: '2026-01-31T12:00:00.000Z',
  later: '2026-05-01T12:00:00.000Z',
} as const;

export const EXAMPLE_KEY = {
  keyId: EXAMPLE.keyId,
  tenantId: EXAMPLE.tenantId,
  name: 'orders',
  algorithm: 'aes-256-gcm',
  algorithmNist: 'AES-256-GCM',
  purpose: 'encryption',
  purposes: ['encryption', 'encrypt', 'decrypt', 'key-wrapping', 'wrap'],
  protectionLevel: 'software',
  provider: 'software',
  state: 'active',
  currentVersion: 1,
  versions: [
    { version: 1, state: 'active', algorithm: 'aes-256-gcm', origin: 'generated', createdAt: EXAMPLE.instant },
  ],
  rotation: { rotationPeriod: 'P90D', autoRotate: true, retainVersions: null, nextRotationAt: EXAMPLE.later },
  usageLimits: { maxOperations: null, expiresAt: null },
  metadata: { team: 'orders' },
  parentKeyId: null,
  revision: 1,
  createdAt: EXAMPLE.instant,
  updatedAt: EXAMPLE.instant,
  destroyAt: null,
} as const;
