import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EncodedVersions } from '../src/hierarchy/record-encoding.ts';
import type { UnsignedApiTokenRecord } from '../src/access/api-token.ts';
import type { KeyRecord, UnsignedKeyRecord } from '../src/model/key.ts';
import { isCritical, KNOWN_FIELDS, type KnownFields, type RecordFields } from '../src/model/record-fields.ts';
import type { UnsignedTenantRecord } from '../src/model/tenant.ts';
import {
  encodeKeyRecord,
  encodeTenantRecord,
  encodeTokenRecord,
  MasterKeyChain,
  RECORD_FORMATS,
  type RecordFormats,
  TenantAuthority,
  TenantMasterKey,
  TokenAuthority,
} from '../src/exports/internal.ts';
import { decodeRecord, encodeRecord } from '../src/keyring/record-json.ts';
import { comparable, sampleTenant } from '../src/testing/store-samples.ts';
import { failure } from './crypto-samples.ts';
import { FIRST_KEY, FIRST_TOKEN } from './first-format-samples.ts';

const INTERNAL_ERROR = failure('INTERNAL_ERROR');
const { tenantId } = FIRST_KEY;
const chainWith = (formats: RecordFormats = RECORD_FORMATS) =>
  new MasterKeyChain([new TenantMasterKey(tenantId, 1, Buffer.alloc(32, 7))], formats);
const hex = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('hex');

/** What nodes write beside others that know only the first format. */
const careful = chainWith({ ...RECORD_FORMATS, written: 1 });
const chain = chainWith();

describe('a change of a key that was just authenticated', () => {
  const stored = chain.signRecord(FIRST_KEY);
  const [first] = stored.versions;
  if (first === undefined) throw new Error('the sample has a version');

  test.each<readonly [string, KeyRecord]>([
    ['nothing but the revision', { ...stored, revision: stored.revision + 1 }],
    ['one version', { ...stored, versions: [{ ...first, state: 'deactivated' }, ...stored.versions.slice(1)] }],
    ['the order of versions', { ...stored, versions: stored.versions.toReversed() }],
    ['another version', { ...stored, versions: [...stored.versions, { ...first, version: 9 }] }],
    ['an optional field of a version', { ...stored, versions: [{ ...first, fields: { more: 1 } }] }],
  ])('gets the MAC that it gets on its own: %s', (_what, changed) => {
    const known: EncodedVersions = new Map();
    chain.verifyRecord(stored, known);
    expect(known.size).toBe(stored.versions.length);
    expect(hex(chain.signRecord(changed, known).mac.tag)).toBe(hex(chain.signRecord(changed).mac.tag));
  });

  test('takes nothing from a record of format 1, which covers less', () => {
    const before = careful.signRecord(FIRST_KEY);
    const known: EncodedVersions = new Map();
    chain.verifyRecord(before, known);
    expect(known.size).toBe(0);
    chain.verifyRecord(chain.signRecord({ ...before, revision: before.revision + 1 }, known));
  });
});

describe('format 1', () => {
  test('of a key has the bytes that it had before there was another', () => {
    const bytes = encodeKeyRecord(FIRST_KEY, 1);
    expect(bytes).toHaveLength(899);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(
      '95d843bc0d9713647aa65ede97367a5564a75cc413b57494f99b6113378bdde1',
    );
    expect(hex(careful.signRecord(FIRST_KEY).mac.tag)).toBe(
      '758f8f293de607b129c5d7500358f7102d71137dc393f112ddc7f983ee8b1da7',
    );
  });

  test('of a token has the MAC that it had before there was another', () => {
    expect(hex(new TokenAuthority(careful).sign(FIRST_TOKEN).mac?.tag)).toBe(
      'aa539d3670f17fa92e947fb37824004c1eab3accf24ae2dc4e553967bbfbe273',
    );
  });

  test('is verified for ever, and becomes format 2 with the next change', () => {
    const before = careful.signRecord(FIRST_KEY);
    expect(before.mac.format).toBe(1);
    chain.verifyRecord(before);
    const after = chain.signRecord({ ...before, revision: before.revision + 1 });
    expect(after.mac.format).toBe(2);
    chain.verifyRecord(after);
    const token = new TokenAuthority(careful).sign(FIRST_TOKEN);
    new TokenAuthority(chain).verify(token, 'hash');
    expect(new TokenAuthority(chain).sign(token).mac?.format).toBe(2);
    const tenant = new TenantAuthority(careful).sign(sampleTenant(tenantId));
    expect(tenant.mac).toBeNull();
    new TenantAuthority(chain).verify(tenant, true);
    expect(new TenantAuthority(chain).sign(tenant).mac?.format).toBe(2);
  });

  test('has no optional field: one that was put into a row is no part of it', () => {
    const key = careful.signRecord(FIRST_KEY);
    const [first, ...rest] = key.versions;
    if (first === undefined) throw new Error('the key has no version');
    expect(() => chain.verifyRecord({ ...key, fields: { more: null } })).toThrow(INTERNAL_ERROR);
    const versions = [{ ...first, fields: { more: null } }, ...rest];
    expect(() => chain.verifyRecord({ ...key, versions })).toThrow(INTERNAL_ERROR);
    const token = new TokenAuthority(careful).sign(FIRST_TOKEN);
    const tokens = new TokenAuthority(chain);
    expect(() => tokens.verify({ ...token, fields: { more: null } }, 'hash')).toThrow(INTERNAL_ERROR);
    expect(() => tokens.verify({ ...token, mac: null, fields: { more: null } }, 'legacy-hash')).toThrow(INTERNAL_ERROR);
    const tenants = new TenantAuthority(chain);
    expect(() => tenants.verify(sampleTenant(tenantId, { fields: { more: null } }), true)).toThrow(INTERNAL_ERROR);
  });
});

describe('a node beside others that know only format 1', () => {
  test('keeps a record in the format that it has, and gives none an optional field', () => {
    const newer = chain.signRecord(FIRST_KEY);
    expect(careful.signRecord({ ...newer, revision: 8 }).mac.format).toBe(2);
    expect(careful.signRecord({ ...newer, fields: { more: 1 } }).mac.format).toBe(2);
    const refused = failure('CONFLICT');
    expect(() => careful.signRecord({ ...FIRST_KEY, fields: { more: 1 } })).toThrow(refused);
    const token = { ...FIRST_TOKEN, fields: { more: 1 } };
    expect(() => new TokenAuthority(careful).sign(token)).toThrow(refused);
    const tenant = sampleTenant(tenantId, { fields: { more: 1 } });
    expect(() => new TenantAuthority(careful).sign(tenant)).toThrow(refused);
  });
});

describe('a format that is set in the row', () => {
  test.each([0, 1, 3, 1.5, Number.NaN])('to %d is refused', (format) => {
    const key = chain.signRecord(FIRST_KEY);
    expect(() => chain.verifyRecord({ ...key, mac: { ...key.mac, format } })).toThrow(INTERNAL_ERROR);
    const tokens = new TokenAuthority(chain);
    const token = tokens.sign(FIRST_TOKEN);
    expect(token.mac?.format).toBe(2);
    const mac = token.mac && { ...token.mac, format };
    expect(() => tokens.verify({ ...token, mac }, 'hash')).toThrow(INTERNAL_ERROR);
    const tenants = new TenantAuthority(chain);
    const tenant = tenants.sign(sampleTenant(tenantId));
    expect(() => tenants.verify({ ...tenant, mac: tenant.mac && { ...tenant.mac, format } }, true)).toThrow(
      INTERNAL_ERROR,
    );
  });

  test('from 1 to 2 is refused as well', () => {
    const key = careful.signRecord(FIRST_KEY);
    expect(() => chain.verifyRecord({ ...key, mac: { ...key.mac, format: 2 } })).toThrow(INTERNAL_ERROR);
    const token = new TokenAuthority(careful).sign(FIRST_TOKEN);
    const mac = token.mac && { ...token.mac, format: 2 };
    expect(() => new TokenAuthority(chain).verify({ ...token, mac }, 'hash')).toThrow(INTERNAL_ERROR);
  });
});

const asJson = (members: readonly (readonly [string, unknown])[]) =>
  // With `__proto__` for a name like any other, and without a zero of its own below zero.
  JSON.parse(JSON.stringify(Object.fromEntries(members))) as RecordFields;
/** Few tags and values, so that two records are often alike but for a place or a type. */
const near: fc.Arbitrary<RecordFields> = fc
  .array(fc.tuple(fc.constantFrom('a', '!a', 'aa'), fc.constantFrom(null, 0, '', 'a', '"a"', [], {}, ['a'])), {
    maxLength: 2,
  })
  .map(asJson);
const fields: fc.Arbitrary<RecordFields> = fc.oneof(
  near,
  fc
    .array(
      fc.tuple(
        fc.oneof(fc.constantFrom('1', '__proto__', ''), fc.string({ unit: 'binary', maxLength: 6 })),
        fc.jsonValue({ maxDepth: 3 }),
      ),
      { maxLength: 4 },
    )
    .map(asJson),
);

/** A key of which only what its place could blur is varied. */
const key: fc.Arbitrary<UnsignedKeyRecord> = fc
  .record({ fields, ofVersions: fc.tuple(fields, near, near), destroyAt: fc.constantFrom(null, new Date(7)) })
  .map(({ ofVersions, ...rest }) => ({
    ...FIRST_KEY,
    ...rest,
    versions: FIRST_KEY.versions.map((version, index) => ({ ...version, fields: ofVersions[index] ?? {} })),
  }));
const token: fc.Arbitrary<UnsignedApiTokenRecord> = fc
  .record({ fields, expiresAt: fc.constantFrom(null, new Date(7)), revokedAt: fc.constantFrom(null, new Date(7)) })
  .map((varied) => ({ ...FIRST_TOKEN, ...varied }));
const tenant: fc.Arbitrary<UnsignedTenantRecord> = fc
  .record({ fields, name: fc.constantFrom('a', 'b') })
  .map((varied) => sampleTenant(tenantId, varied));

/** The same value as text, whatever the order of members. */
function plain(value: unknown): string {
  const text = (member: unknown): string => {
    if (Array.isArray(member)) return `[${member.map(text).join()}]`;
    if (member === null || typeof member !== 'object') return JSON.stringify(member);
    const members = Object.entries(member).map(([name, inner]) => `${JSON.stringify(name)}:${text(inner)}`);
    return `{${members.toSorted().join()}}`;
  };
  return text(comparable(value));
}

/** The same members in another order, at every level, as a database may give them back. */
function reordered<T>(value: T): T {
  const turn = (member: unknown): unknown => {
    if (Array.isArray(member)) return member.map(turn);
    if (member === null || typeof member !== 'object') return member;
    return Object.fromEntries(
      Object.entries(member)
        .toReversed()
        .map(([name, inner]) => [name, turn(inner)]),
    );
  };
  // Members are moved, and nothing else.
  return turn(value) as T;
}

describe('format 2', () => {
  const encodeKey = (record: UnsignedKeyRecord) => encodeKeyRecord(record, 2);
  const encodeToken = (record: UnsignedApiTokenRecord) => encodeTokenRecord(record, 2);

  test('has the same bytes for two records only when they are the same', () => {
    const isInjective = <T>(record: fc.Arbitrary<T>, encode: (record: T) => Buffer) =>
      fc.assert(
        fc.property(record, record, (a, b) => {
          expect(encode(a).equals(encode(b))).toBe(plain(a) === plain(b));
        }),
        { numRuns: 1000 },
      );
    isInjective(key, encodeKey);
    isInjective(token, encodeToken);
    isInjective(tenant, encodeTenantRecord);
  });

  test('never has the bytes of format 1, nor of another kind of record', () => {
    fc.assert(
      fc.property(key, token, tenant, (ofKey, ofToken, ofTenant) => {
        const encodings = [
          encodeKey(ofKey),
          encodeKeyRecord(ofKey, 1),
          encodeToken(ofToken),
          encodeTokenRecord(ofToken, 1),
          encodeTenantRecord(ofTenant),
        ];
        expect(new Set(encodings.map(hex)).size).toBe(encodings.length);
      }),
    );
  });

  test('survives a database that reorders the members of JSON', () => {
    fc.assert(
      fc.property(key, (record) => {
        const back = {
          ...record,
          fields: reordered(record.fields),
          versions: record.versions.map((version) => ({ ...version, fields: reordered(version.fields) })),
        };
        expect(encodeKey(back)).toEqual(encodeKey(record));
      }),
    );
  });

  test('survives the entry that nodes share, and so does format 1', () => {
    fc.assert(
      fc.property(key, (record) => {
        const knowing = chainWith({ written: 2, rotatesMasterKeys: true, known: knownOf(record) });
        const signed = knowing.signRecord(record);
        const shared = decodeRecord(
          JSON.parse(JSON.stringify(encodeRecord(signed))) as ReturnType<typeof encodeRecord>,
        );
        expect(comparable(shared)).toStrictEqual(comparable(signed));
        knowing.verifyRecord(shared);
      }),
    );
  });

  test('in an entry that an earlier release shared is format 1 without optional fields', () => {
    const signed = careful.signRecord(FIRST_KEY);
    const { fields: _, mac, versions, ...rest } = encodeRecord(signed);
    const { format: __, ...earlier } = mac;
    const entry = { ...rest, mac: earlier, versions: versions.map(({ fields: ___, ...version }) => version) };
    const shared: KeyRecord = decodeRecord(entry);
    expect(comparable(shared)).toStrictEqual(comparable(signed));
    chain.verifyRecord(shared);
  });
});

/** A release that knows every field of a record. */
function knownOf({ fields: ofKey, versions }: UnsignedKeyRecord): KnownFields {
  const known = (of: RecordFields) => Object.keys(of).map((each) => ({ tag: each, evidence: 'sha256' }) as const);
  return { ...KNOWN_FIELDS, key: known(ofKey), version: versions.flatMap(({ fields: of }) => known(of)) };
}

test('no two fields that this release knows have one tag, whether critical or not', () => {
  for (const known of Object.values(KNOWN_FIELDS) as readonly KnownFields['key'][]) {
    const names = known.map(({ tag: each }) => (isCritical(each) ? each.slice(1) : each));
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z][A-Za-z0-9]*$/);
  }
});
