import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { MasterKeyChain } from '../src/hierarchy/master-key-chain.ts';
import { encodeKeyRecord } from '../src/hierarchy/record-encoding.ts';
import { sortedJson } from '../src/encoding/sorted-json.ts';
import { softwareRoot } from '../src/hierarchy/software-root.ts';
import { TenantMasterKey, wrapBinding } from '../src/hierarchy/tenant-master-key.ts';
import type { KeyRecord, KeyVersionRecord, UnsignedKeyRecord } from '../src/model/key.ts';
import { failure, flipBit } from './crypto-samples.ts';

const TENANT = '018f0000-0000-7000-8000-000000000001';
const OTHER_TENANT = '018f0000-0000-7000-8000-000000000002';
const KEY = '018f0000-0000-7000-8000-00000000000a';
const BINDING = { keyId: KEY, version: 3, algorithm: 'dilithium-3' };
const DECRYPT_FAILED = failure('DECRYPT_FAILED');
const INTERNAL_ERROR = failure('INTERNAL_ERROR');
const bytes = Buffer.alloc(32, 7);
const tmk = (tenantId = TENANT, version = 2, material = bytes) => new TenantMasterKey(tenantId, version, material);

describe('sealed key material', () => {
  const secret = randomBytes(48);
  const sealed = tmk().seal(BINDING, secret);

  test('opens as what it was sealed for', () => {
    expect(tmk().open(BINDING, sealed)).toEqual(secret);
  });

  test.each([
    ['another key', tmk(), { ...BINDING, keyId: OTHER_TENANT }],
    ['another version', tmk(), { ...BINDING, version: 4 }],
    ['another algorithm', tmk(), { ...BINDING, algorithm: 'dilithium-5' }],
    ['another tenant', tmk(OTHER_TENANT), BINDING],
    ['another version of the tenant master key', tmk(TENANT, 3), BINDING],
    ['another tenant master key', tmk(TENANT, 2, Buffer.alloc(32, 8)), BINDING],
  ] as const)('does not open as that of %s', (_what, key, binding) => {
    expect(() => key.open(binding, sealed)).toThrow(DECRYPT_FAILED);
  });

  test('does not open with any one bit changed, nor cut short', () => {
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      expect(() => tmk().open(BINDING, flipBit(sealed, bit))).toThrow(DECRYPT_FAILED);
    }
    for (let length = 0; length < sealed.length; length += 1) {
      expect(() => tmk().open(BINDING, sealed.subarray(0, length))).toThrow(DECRYPT_FAILED);
    }
  });

  test('never repeats a nonce', () => {
    const key = tmk();
    const nonces = Array.from({ length: 2000 }, () => key.seal(BINDING, secret).subarray(0, 12).toString('hex'));
    expect(new Set(nonces).size).toBe(2000);
  });
});

describe('a tenant master key under a software root', () => {
  const root = softwareRoot('software', Buffer.alloc(32, 1));
  const aad = wrapBinding(TENANT, 1, 'software', 1);

  test('opens only for its tenant, version and provider, as of its format, and only under its root', async () => {
    const wrapped = await root.wrap(bytes, aad);
    expect(Buffer.from(await root.unwrap(wrapped, aad))).toEqual(bytes);
    const wrong = [
      wrapBinding(OTHER_TENANT, 1, 'software', 1),
      wrapBinding(TENANT, 2, 'software', 1),
      wrapBinding(TENANT, 1, 'hsm', 1),
      wrapBinding(TENANT, 1, 'software', 2),
    ];
    for (const binding of wrong) await expect(root.unwrap(wrapped, binding)).rejects.toThrow(DECRYPT_FAILED);
    await expect(softwareRoot('software', Buffer.alloc(32, 2)).unwrap(wrapped, aad)).rejects.toThrow(DECRYPT_FAILED);
    await expect(root.unwrap(flipBit(wrapped, 200), aad)).rejects.toThrow(DECRYPT_FAILED);
  });

  test('has a check value that names the root and not the wrapping key', async () => {
    const again = await softwareRoot('other-name', Buffer.alloc(32, 1)).checkValue();
    expect(await root.checkValue()).toBe(again);
    expect(again).toMatch(/^[0-9a-f]{16}$/);
    expect(await softwareRoot('software', Buffer.alloc(32, 2)).checkValue()).not.toBe(again);
  });
});

const at = (seconds: number) => new Date(1_700_000_000_000 + seconds * 1000);
const VERSION: KeyVersionRecord = {
  version: 1,
  state: 'active',
  algorithm: 'aes-256-gcm',
  origin: 'generated',
  provider: 'software',
  material: { kind: 'sealed', tmkVersion: 1, sealed: Buffer.from('sealed') },
  publicKey: null,
  createdAt: at(0),
  fields: { validTo: 1 },
};
const RECORD: UnsignedKeyRecord = {
  tenantId: TENANT,
  keyId: KEY,
  name: 'payments',
  algorithm: 'aes-256-gcm',
  purpose: 'encryption',
  protectionLevel: 'software',
  state: 'active',
  stateBeforeDestroy: null,
  revocation: null,
  currentVersion: 1,
  versions: [VERSION],
  rotation: { periodSeconds: 100, auto: true, retainVersions: null, nextRotationAt: at(100) },
  usageLimits: { maxOperations: 5, expiresAt: null },
  policy: null,
  metadata: { team: 'a' },
  parentKeyId: null,
  revision: 1,
  createdAt: at(0),
  updatedAt: at(1),
  destroyAt: null,
  fields: { description: 'of payments', '!approval': { by: ['a', 'b'] } },
};

/** One change of every field, down to the leaves; the type makes the compiler ask for a new field too. */
const RECORD_CHANGES: { readonly [Field in keyof UnsignedKeyRecord]: readonly UnsignedKeyRecord[Field][] } = {
  tenantId: [OTHER_TENANT],
  keyId: [OTHER_TENANT],
  name: [null, '', 'payment', 'payments '],
  algorithm: ['aes-128-gcm'],
  purpose: ['encrypt', 'signing'],
  protectionLevel: ['hsm'],
  state: ['suspended', 'revoked'],
  stateBeforeDestroy: ['active', 'suspended'],
  revocation: [
    { reason: 'end_of_life', at: at(5) },
    { reason: 'policy_violation', at: at(5) },
    { reason: 'end_of_life', at: at(6) },
  ],
  currentVersion: [2, 0],
  versions: [[], [VERSION, VERSION], [{ ...VERSION, version: 2 }]],
  rotation: [
    { ...RECORD.rotation, periodSeconds: 101 },
    { ...RECORD.rotation, periodSeconds: null },
    { ...RECORD.rotation, auto: false },
    { ...RECORD.rotation, retainVersions: 0 },
    { ...RECORD.rotation, retainVersions: 3 },
    { ...RECORD.rotation, nextRotationAt: null },
    { ...RECORD.rotation, nextRotationAt: at(101) },
  ],
  usageLimits: [
    { maxOperations: 6, expiresAt: null },
    { maxOperations: null, expiresAt: null },
    { maxOperations: 5, expiresAt: at(9) },
  ],
  policy: [{ version: 1, statements: [] } as never, { version: 1, statements: [{ effect: 'allow' }] } as never],
  metadata: [{}, { team: 'b' }, { team: 'a', more: '' }, { teams: 'a' }],
  parentKeyId: [KEY],
  revision: [2],
  createdAt: [at(2)],
  updatedAt: [at(2)],
  destroyAt: [at(2)],
  fields: [
    {},
    { description: 'of payments' },
    { description: 'of payments', approval: { by: ['a', 'b'] } },
    { description: 'of payment', '!approval': { by: ['a', 'b'] } },
    { description: 'of payments', '!approval': { by: ['b', 'a'] } },
    { description: 'of payments', '!approval': null },
    { description: 'of payments', '!approval': { by: ['a', 'b'] }, more: null },
  ],
};

const VERSION_CHANGES: { readonly [Field in keyof KeyVersionRecord]: readonly KeyVersionRecord[Field][] } = {
  version: [2],
  state: ['retired' as KeyVersionRecord['state']],
  algorithm: ['aes-128-gcm'],
  origin: ['imported'],
  provider: ['hsm-1'],
  material: [
    { kind: 'none' },
    { kind: 'resident', handle: Buffer.from('sealed') },
    { kind: 'sealed', tmkVersion: 2, sealed: Buffer.from('sealed') },
    { kind: 'sealed', tmkVersion: 1, sealed: Buffer.from('sealeD') },
  ],
  publicKey: [Buffer.alloc(0), Buffer.of(1)],
  createdAt: [at(3)],
  fields: [{}, { validTo: 2 }, { validTo: '1' }, { validTo: 1, description: 'of payments' }],
};

const changed = [
  ...Object.entries(RECORD_CHANGES).flatMap(([field, values]) =>
    values.map((value, index) => ({ field, index, record: { ...RECORD, [field]: value } })),
  ),
  ...Object.entries(VERSION_CHANGES).flatMap(([field, values]) =>
    values.map((value, index) => ({
      field: `versions.${field}`,
      index,
      record: { ...RECORD, versions: [{ ...VERSION, [field]: value }] },
    })),
  ),
];

describe('the MAC of a key record', () => {
  const known = { key: [{ tag: '!approval', evidence: 'sha256' }], version: [], token: [], tenant: [] } as const;
  const chain = new MasterKeyChain([tmk(TENANT, 1, Buffer.alloc(32, 1)), tmk(TENANT, 2, Buffer.alloc(32, 2))], {
    written: 2,
    known,
    rotatesMasterKeys: true,
  });
  const signed = chain.signRecord(RECORD);

  test('accepts the record that it was made for', () => {
    expect(() => chain.verifyRecord(signed)).not.toThrow();
    expect(signed.mac).toMatchObject({ format: 2, tmkVersion: 2 });
  });

  test.each(changed)('covers $field (change $index)', ({ record }) => {
    expect(encodeKeyRecord(record, 2)).not.toEqual(encodeKeyRecord(RECORD, 2));
    const forged: KeyRecord = { ...record, mac: signed.mac };
    expect(() => chain.verifyRecord(forged)).toThrow(INTERNAL_ERROR);
  });

  test('has another encoding for each of these records', () => {
    const encodings = changed.map(({ record }) => encodeKeyRecord(record, 2).toString('hex'));
    // `versions` and `versions.version` both hold the change to version 2.
    expect(new Set(encodings).size).toBe(encodings.length - 1);
  });

  test('does not verify with another tag, or under another version of the master key', () => {
    const { tag } = signed.mac;
    for (const wrong of [flipBit(tag, 0), flipBit(tag, 255), tag.subarray(1), Buffer.alloc(0)]) {
      expect(() => chain.verifyRecord({ ...signed, mac: { ...signed.mac, tag: wrong } })).toThrow(INTERNAL_ERROR);
    }
    expect(() => chain.verifyRecord({ ...signed, mac: { ...signed.mac, tmkVersion: 1 } })).toThrow(INTERNAL_ERROR);
    expect(() => chain.verifyRecord({ ...signed, mac: { ...signed.mac, tmkVersion: 9 } })).toThrow(INTERNAL_ERROR);
  });

  test('survives a database that reorders the members of JSON', () => {
    const metadata = { a: '1', b: '2' };
    const reordered = { b: '2', a: '1' };
    for (const format of [1, 2] as const)
      expect(encodeKeyRecord({ ...RECORD, metadata: reordered, fields: { more: [reordered] } }, format)).toEqual(
        encodeKeyRecord({ ...RECORD, metadata, fields: { more: [metadata] } }, format),
      );
    expect(sortedJson({ b: [{ d: 1, c: 2 }], a: null })).toBe('{"a":null,"b":[{"c":2,"d":1}]}');
  });
});
