import { existsSync, readFileSync } from 'node:fs';
import { SYSTEM_TENANT } from '@qnsp/kms-core';
import {
  authenticateToken,
  decapsulate,
  decrypt,
  encrypt,
  getKey,
  listTenants,
  NEWEST_FORMAT,
  resolveIdentity,
  revokeApiToken,
  rotateKey,
  shredTenant,
  type Kms,
  verify,
  verifyMac,
} from '@qnsp/kms-core/internal';
import type { Store } from '@qnsp/kms-core/ports';
import { scopeOf, SYSTEM } from '@qnsp/kms-core/testing';
import { openPostgresStore } from '@qnsp/kms-store-drizzle';
import { createDatabase, type TestDatabase } from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectedFile, type Fixture, migrationTags, readRecords, rowsFile } from './fixture-files.ts';
import { administrator, fixtureKms } from './fixture-kms.ts';
import { loadFixture } from './load-fixture.ts';

const TAGS = migrationTags();
/** The migration from which on records have numbered formats. */
const FORMATS = TAGS.indexOf('0013_record_formats');
/** The oldest and the newest migration, and those on both sides of the change that every record shows. */
const EVERYDAY: ReadonlySet<number> = new Set([0, FORMATS - 1, FORMATS, TAGS.length - 1]);

/** Another test asks for what is missing. */
const hasFixture = (tag: string) => existsSync(rowsFile(tag)) && existsSync(expectedFile(tag));

/** Tests what can be done with the rows of the migrations that are looked at every day, or with those of all others. */
export function describeRows(when: 'every day' | 'before a release'): void {
  const migrations = TAGS.map((tag, migration) => ({ tag, migration })).filter(({ tag }) => hasFixture(tag));
  const chosen = migrations.filter(({ migration }) => EVERYDAY.has(migration) === (when === 'every day'));
  describe.each(chosen)('the rows of $tag', describeRowsOf);
}

function describeRowsOf({ tag, migration }: { readonly tag: string; readonly migration: number }): void {
  let database: TestDatabase;
  let store: Store;
  let close: () => Promise<void>;
  let kms: Kms;
  const { rootKey, uses, records } = JSON.parse(readFileSync(expectedFile(tag), 'utf8')) as Fixture;
  const caller = administrator(uses.tenantId);
  const bytes = (base64: string) => Buffer.from(base64, 'base64');
  const plaintext = bytes(uses.plaintext);

  beforeAll(async () => {
    database = await createDatabase();
    await loadFixture(database.url, migration);
    ({ store, close } = await openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'auto' }));
    kms = await fixtureKms(store, bytes(rootKey));
  });
  afterAll(async () => {
    await close();
    await database.drop();
  });

  it('are read as they were written', async () => {
    expect(await readRecords(store)).toMatchObject(records);
  });

  it('are authentic', async () => {
    const { items } = await store.transact(scopeOf(uses.tenantId), (unit) =>
      unit.keys.list({ limit: 200, after: null }),
    );
    expect(items.map((key) => key.state).toSorted()).toEqual([
      'active',
      'active',
      'active',
      'active',
      'active',
      'deactivated',
      'destroyed',
      'revoked',
      'suspended',
    ]);
    for (const { keyId } of items) await expect(getKey({ kms, caller }, { keyId })).resolves.toMatchObject({ keyId });
  });

  it('open what was encrypted, verify what was signed, decapsulate what was encapsulated', async () => {
    for (const ciphertext of uses.ciphertexts)
      expect((await decrypt({ kms, caller }, { ciphertext: bytes(ciphertext) })).plaintext).toEqual(plaintext);
    const { signature, mac, kem } = uses;
    const signed = { keyId: signature.keyId, data: plaintext, signature: bytes(signature.signature) };
    expect(await verify({ kms, caller }, signed)).toMatchObject({ valid: true });
    const tagged = { keyId: mac.keyId, data: plaintext, mac: bytes(mac.mac) };
    expect(await verifyMac({ kms, caller }, tagged)).toMatchObject({ valid: true });
    const opened = await decapsulate({ kms, caller }, { keyId: kem.keyId, ciphertext: bytes(kem.kemCiphertext) });
    expect(opened.sharedSecret).toEqual(bytes(kem.sharedSecret));
  });

  it('remember how much of a budget is used', async () => {
    const { keyId } = uses.budget;
    await encrypt({ kms, caller }, { keyId, plaintext });
    await expect(encrypt({ kms, caller }, { keyId, plaintext })).rejects.toMatchObject({
      code: 'KEY_USAGE_EXCEEDED',
    });
  });

  it('authenticate a live token and no revoked one', async () => {
    expect(await authenticateToken(kms, uses.liveToken)).toMatchObject({ tenantId: uses.tenantId });
    await expect(authenticateToken(kms, uses.revokedToken)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });

  it.runIf(uses.identities !== undefined)('let in whom a binding is for, and nobody who was denied', async () => {
    if (uses.identities === undefined) return;
    const { issuer, bound, denied, removed, keyId } = uses.identities;
    const resolved = async (subject: string) =>
      resolveIdentity(kms, {
        name: subject,
        credential: 'jwt',
        issuer,
        subject,
        credentialId: null,
        issuedAt: 0,
        expiresAt: Number.POSITIVE_INFINITY,
        claims: new Map([['sub', [subject]]]),
        mfa: false,
      });
    expect(await resolved(bound)).toMatchObject({ tenantId: uses.tenantId, keys: new Set([keyId]) });
    for (const subject of [denied, removed, 'somebody'])
      await expect(resolved(subject), subject).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });

  it('keep a shredded tenant shredded', async () => {
    await expect(kms.hierarchy.masterKeys(uses.shreddedTenantId)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('can be changed, and get the newest format then', async () => {
    const { keyId } = uses.mac;
    const before = await store.readKey(uses.tenantId, keyId);
    expect(before?.mac.format).toBe(migration < FORMATS ? 1 : NEWEST_FORMAT);
    expect(await rotateKey({ kms, caller }, { keyId })).toMatchObject({ keyId, currentVersion: 2 });
    expect((await store.readKey(uses.tenantId, keyId))?.mac.format).toBe(NEWEST_FORMAT);
    expect(await getKey({ kms, caller }, { keyId })).toMatchObject({ currentVersion: 2 });
  });

  it('of a token get the newest format when it is revoked, and of a tenant when it is shredded', async () => {
    const { subject: tokenId } = await authenticateToken(kms, uses.liveToken);
    const read = () =>
      store.transact(SYSTEM, async (unit) => ({
        token: await unit.tokens.get(tokenId),
        tenant: await unit.tenants.get(uses.tenantId),
      }));
    const formatBefore = migration < FORMATS ? undefined : NEWEST_FORMAT;
    expect((await read()).tenant?.mac?.format).toBe(formatBefore);
    await revokeApiToken({ kms, caller }, { tokenId });
    expect((await read()).token?.mac?.format).toBe(NEWEST_FORMAT);
    await expect(authenticateToken(kms, uses.liveToken)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    const shred = { confirmation: `SHRED-${uses.tenantId}`, reason: 'the end of the test' };
    await shredTenant({ kms, caller }, { tenantId: uses.tenantId, ...shred });
    expect((await read()).tenant).toMatchObject({ state: 'shredded', mac: { format: NEWEST_FORMAT } });
    const { items, warnings } = await listTenants({ kms, caller: administrator(SYSTEM_TENANT) }, {});
    expect(items).toContainEqual(expect.objectContaining({ tenantId: uses.tenantId, state: 'shredded' }));
    expect(warnings).toBeUndefined();
  });
}
