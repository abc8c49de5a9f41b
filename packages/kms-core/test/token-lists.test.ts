import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  type ApiTokenRecord,
  createApiToken,
  installPlatformToken,
  type Kms,
  listApiTokens,
  newId,
  shredTenant,
  tokenAuthority,
  operationOfService,
} from '../src/exports/internal.ts';
import { type Fixture, makeFixture } from './kms-fixture.ts';

/** Records of tokens as the KMS writes them, some changed by a writer of the database. */
async function insert(
  f: Fixture,
  count: number,
  tenantId: string | null,
  change: Partial<ApiTokenRecord> = {},
): Promise<readonly ApiTokenRecord[]> {
  const authority = await tokenAuthority(f.kms.hierarchy);
  const made = Array.from({ length: count }, (_, index) => ({
    ...authority.sign({
      tokenId: newId(),
      tenantId,
      name: `token ${index}`,
      hash: randomBytes(32),
      role: 'auditor',
      permissions: [],
      createdAt: new Date(1_780_000_000_000 + Math.floor(index / 3)),
      expiresAt: null,
      revokedAt: null,
      fields: {},
    }),
    ...change,
  }));
  await f.store.transact({ kind: 'system' }, async (unit) => {
    for (const record of made) await unit.tokens.insert(record);
  });
  return made;
}

async function everyToken(f: Fixture, limit: number): Promise<readonly string[]> {
  const found: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await listApiTokens(
      { kms: f.kms, caller: f.admin },
      { limit, ...(cursor === undefined ? {} : { cursor }) },
    );
    expect(page.items.length).toBeLessThanOrEqual(limit);
    found.push(...page.items.map(({ tokenId }) => tokenId));
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  return found;
}

describe('the list of tokens', () => {
  it('comes in pages that neither repeat a token nor leave one out', async () => {
    const f = await makeFixture();
    const made = await insert(f, 25, f.tenantId);
    for (const limit of [1, 4, 25, 200])
      expect((await everyToken(f, limit)).toSorted()).toEqual(made.map(({ tokenId }) => tokenId).toSorted());
    expect((await listApiTokens({ kms: f.kms, caller: f.admin }, {})).nextCursor).toBeNull();
  });

  it('has no more than 50 items unless more are asked for, and 200 at most', async () => {
    const f = await makeFixture();
    await insert(f, 250, f.tenantId);
    expect((await listApiTokens({ kms: f.kms, caller: f.admin }, {})).items).toHaveLength(50);
    expect((await listApiTokens({ kms: f.kms, caller: f.admin }, { limit: 200 })).items).toHaveLength(200);
  });

  it('leaves out records that the KMS did not write, names them and tells the operator', async () => {
    const f = await makeFixture();
    const alerts: string[] = [];
    const kms: Kms = { ...f.kms, alert: ({ kind, message }) => void alerts.push(`${kind} ${message}`) };
    const [genuine] = await insert(f, 1, f.tenantId);
    const forged: ApiTokenRecord[] = [];
    for (const change of [
      { role: 'tenant_admin' },
      { name: 'another' },
      { expiresAt: new Date('2040-01-01T00:00:00Z') },
      { revokedAt: new Date('2020-01-01T00:00:00Z') },
      { mac: null },
    ] satisfies Partial<ApiTokenRecord>[])
      forged.push(...(await insert(f, 1, f.tenantId, change)));
    const { items, warnings } = await listApiTokens({ kms, caller: f.admin }, {});
    expect(items.map(({ tokenId }) => tokenId)).toEqual([genuine?.tokenId]);
    expect(warnings).toHaveLength(forged.length);
    for (const { tokenId } of forged) {
      expect(warnings?.join('\n')).toContain(tokenId);
      expect(alerts.join('\n')).toContain(`record-forged The stored record of the token ${tokenId}`);
    }
  });
});

describe('work on all tokens of somebody', () => {
  const live = (f: Fixture, tenantId: string | null) =>
    f.store.transact({ kind: 'system' }, (unit) => unit.tokens.list({ tenantId, limit: 200, lockLive: true }));

  it('ends each token of a shredded tenant, however many there are, and no other', async () => {
    const f = await makeFixture();
    const other = await insert(f, 3, null);
    await insert(f, 450, f.tenantId);
    await createApiToken({ kms: f.kms, caller: f.admin }, { name: 'made as usual', role: 'auditor' });
    const confirmation = `SHRED-${f.tenantId}`;
    await shredTenant({ kms: f.kms, caller: f.admin }, { tenantId: f.tenantId, confirmation, reason: 'test' });
    expect((await live(f, f.tenantId)).items).toEqual([]);
    expect((await live(f, null)).items).toHaveLength(other.length);
  });

  it('ends each token of the platform but the one of the configuration, however many there are', async () => {
    const f = await makeFixture();
    const token = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
    await installPlatformToken(operationOfService(f.kms, 'installPlatformToken'), token);
    await insert(f, 450, null);
    await installPlatformToken(operationOfService(f.kms, 'installPlatformToken'), token);
    const left = await live(f, null);
    expect(left.items.map(({ name }) => name)).toEqual(['platform token of the configuration']);
    await installPlatformToken(operationOfService(f.kms, 'installPlatformToken'), undefined);
    expect((await live(f, null)).items).toEqual([]);
  });
});
