import { beforeEach, describe, expect, test } from 'vitest';
import {
  createApiToken,
  createKey,
  destroyKey,
  getKey,
  type IdempotencyRequest,
  type KeyDescription,
  type Kms,
  listTenants,
  type ResidentKeyProvider,
  restoreKey,
  resumeKey,
  revokeApiToken,
  revokeKey,
  runDueWork,
  shredKey,
  shredTenant,
  suspendKey,
  SYSTEM_TENANT,
  operationOfService,
} from '../src/exports/internal.ts';
import { softwareResidentKeys, type SoftwareResidentKeys } from '../src/testing/index.ts';
import { failure } from './crypto-samples.ts';
import { callerOf, type Fixture, makeFixture } from './kms-fixture.ts';

const DAY = 24 * 60 * 60 * 1000;
const UNAVAILABLE = failure('HSM_UNAVAILABLE');
const operator = callerOf(SYSTEM_TENANT, null, ['kms:tenants:manage']);

let hsm: SoftwareResidentKeys;
/** Runs before an object is destroyed. */
let onDestroy: () => Promise<void>;
let f: Fixture;

beforeEach(async () => {
  hsm = softwareResidentKeys('hsm-a');
  onDestroy = async () => undefined;
  const provider: ResidentKeyProvider = {
    id: hsm.id,
    algorithms: () => hsm.algorithms(),
    generate: (algorithm, name) => hsm.generate(algorithm, name),
    engine: (algorithm, handle, publicKey) => hsm.engine(algorithm, handle, publicKey),
    list: () => hsm.list(),
    destroy: async (handle) => {
      await onDestroy();
      await hsm.destroy(handle);
    },
  };
  f = await makeFixture({ resident: [provider] });
});

interface Request {
  readonly keyId: string;
  readonly ifRevision?: number;
  readonly idempotency?: IdempotencyRequest;
}
type Change = (kms: Kms, request: Request) => Promise<KeyDescription>;

const shred: Change = (kms, request) =>
  shredKey({ kms, caller: f.admin }, { ...request, confirmation: `SHRED-${request.keyId}` });

/** Every change that leads to a state in which it may be found again. */
const CHANGES: Readonly<Record<string, { readonly before?: Change; readonly change: Change }>> = {
  suspend: { change: (kms, request) => suspendKey({ kms, caller: f.admin }, request) },
  resume: {
    before: (kms, { keyId }) => suspendKey({ kms, caller: f.admin }, { keyId }),
    change: (kms, request) => resumeKey({ kms, caller: f.admin }, request),
  },
  revoke: { change: (kms, request) => revokeKey({ kms, caller: f.admin }, { ...request, reason: 'end_of_life' }) },
  destroy: { change: (kms, request) => destroyKey({ kms, caller: f.admin }, request) },
  restore: {
    before: (kms, { keyId }) => destroyKey({ kms, caller: f.admin }, { keyId }),
    change: (kms, request) => restoreKey({ kms, caller: f.admin }, request),
  },
  shred: { change: shred },
};

const once = (key: string): IdempotencyRequest => ({ key, fingerprint: Buffer.alloc(32, 1) });

describe.each(['software', 'hsm'] as const)('of a key in %s, what is done is done:', (protectionLevel) => {
  test.for(Object.entries(CHANGES))('%s', async ([, { before, change }]) => {
    const { keyId, revision: first } = await createKey({ kms: f.kms, caller: f.admin }, { protectionLevel });
    const seen = (await before?.(f.kms, { keyId })) ?? { revision: first };
    const request = { keyId, ifRevision: seen.revision, idempotency: once('change') };
    const made = await change(f.kms, request);
    expect(made.revision).toBeGreaterThan(seen.revision);
    const other = await f.restarted();
    for (const repeat of [
      request,
      { keyId },
      { keyId, idempotency: once('another') },
      { keyId, ifRevision: seen.revision },
      { keyId, ifRevision: seen.revision, idempotency: once('third') },
    ])
      await expect(change(other, repeat)).resolves.toEqual(made);
    expect(await getKey({ kms: other, caller: f.admin }, { keyId })).toEqual(made);
  });
});

describe('what ends a key is done', () => {
  test('for a destruction that scheduled work made, and for a revocation whose key is destroyed since', async () => {
    const [scheduled, revoked] = [
      await createKey({ kms: f.kms, caller: f.admin }, {}),
      await createKey({ kms: f.kms, caller: f.admin }, {}),
    ];
    const destroy = { keyId: scheduled.keyId, idempotency: once('destroy') };
    await destroyKey({ kms: f.kms, caller: f.admin }, destroy);
    await revokeKey({ kms: f.kms, caller: f.admin }, { keyId: revoked.keyId, reason: 'end_of_life' });
    await destroyKey({ kms: f.kms, caller: f.admin }, { keyId: revoked.keyId });
    f.advance(8 * DAY);
    expect(await runDueWork(operationOfService(f.kms, 'runDueWork'), new AbortController().signal)).toMatchObject({
      destroyed: 2,
    });
    const gone = { state: 'destroyed' };
    await expect(destroyKey({ kms: f.kms, caller: f.admin }, { keyId: scheduled.keyId })).resolves.toMatchObject(gone);
    const again = { keyId: revoked.keyId, reason: 'end_of_life' } as const;
    await expect(revokeKey({ kms: f.kms, caller: f.admin }, again)).resolves.toMatchObject(gone);
  });

  test('but not what asks for more than was done', async () => {
    const { keyId } = await createKey({ kms: f.kms, caller: f.admin }, {});
    await destroyKey({ kms: f.kms, caller: f.admin }, { keyId, pendingDays: 30 });
    const STATE = failure('KEY_STATE_INVALID');
    await expect(destroyKey({ kms: f.kms, caller: f.admin }, { keyId, pendingDays: 1 })).rejects.toThrow(STATE);
    await expect(suspendKey({ kms: f.kms, caller: f.admin }, { keyId })).rejects.toThrow(STATE);
    await shred(f.kms, { keyId });
    await expect(revokeKey({ kms: f.kms, caller: f.admin }, { keyId, reason: 'end_of_life' })).rejects.toThrow(STATE);
    await expect(restoreKey({ kms: f.kms, caller: f.admin }, { keyId })).rejects.toThrow(STATE);
    await expect(resumeKey({ kms: f.kms, caller: f.admin }, { keyId })).rejects.toThrow(STATE);
  });

  test('but a revocation for another reason says that the first one stands, and goes on below', async () => {
    const { keyId } = await createKey({ kms: f.kms, caller: f.admin }, {});
    const child = await createKey({ kms: f.kms, caller: f.admin }, { parentKeyId: keyId });
    const revoked = await revokeKey({ kms: f.kms, caller: f.admin }, { keyId, reason: 'end_of_life' });
    expect(revoked.warnings).toBeUndefined();
    const again = await revokeKey(
      { kms: f.kms, caller: f.admin },
      { keyId, reason: 'suspected_compromise', cascade: true },
    );
    expect(again).toEqual({ ...revoked, warnings: [expect.stringContaining('end_of_life')] });
    expect((await getKey({ kms: f.kms, caller: f.admin }, { keyId: child.keyId })).revocation?.reason).toBe(
      'suspected_compromise',
    );
  });

  test('of a revoked parent a cascade still reaches the children that were added or left out before', async () => {
    const parent = await createKey({ kms: f.kms, caller: f.admin }, {});
    const child = await createKey({ kms: f.kms, caller: f.admin }, { parentKeyId: parent.keyId });
    const revoke = (cascade: boolean) =>
      revokeKey({ kms: f.kms, caller: f.admin }, { keyId: parent.keyId, reason: 'end_of_life', cascade });
    const revoked = await revoke(false);
    expect(await getKey({ kms: f.kms, caller: f.admin }, { keyId: child.keyId })).toMatchObject({ state: 'active' });
    expect(await revoke(true)).toEqual(revoked);
    expect(await getKey({ kms: f.kms, caller: f.admin }, { keyId: child.keyId })).toMatchObject({ state: 'revoked' });
  });
});

describe('the shred of a key in an HSM', () => {
  test('is answered when scheduled work of another node finishes it meanwhile', async () => {
    const { keyId } = await createKey({ kms: f.kms, caller: f.admin }, { protectionLevel: 'hsm' });
    const other = await f.restarted();
    onDestroy = async () => {
      onDestroy = async () => undefined;
      expect(await runDueWork(operationOfService(other, 'runDueWork'), new AbortController().signal)).toMatchObject({
        destroyed: 1,
        failed: [],
      });
    };
    const request = { keyId, idempotency: once('shred') };
    const shredded = await shred(f.kms, request);
    expect(shredded).toMatchObject({ state: 'destroyed', revision: 3 });
    await expect(shred(other, request)).resolves.toEqual(shredded);
    expect(hsm.size).toBe(0);
  });

  test.for([true, false])(
    'that was away is answered when it is back; scheduled work was faster: %s',
    async (faster) => {
      const { keyId } = await createKey({ kms: f.kms, caller: f.admin }, { protectionLevel: 'hsm' });
      const request = { keyId, ifRevision: 1, idempotency: once('shred') };
      hsm.goAway();
      for (let count = 0; count < 3; count += 1) {
        await expect(shred(f.kms, request)).rejects.toThrow(UNAVAILABLE);
        expect(await getKey({ kms: f.kms, caller: f.admin }, { keyId })).toMatchObject({
          state: 'deactivated',
          revision: 2,
        });
      }
      hsm.comeBack();
      if (faster)
        expect(await runDueWork(operationOfService(f.kms, 'runDueWork'), new AbortController().signal)).toMatchObject({
          destroyed: 1,
        });
      const shredded = await shred(f.kms, request);
      expect(shredded).toMatchObject({ state: 'destroyed', revision: 3 });
      await expect(shred(await f.restarted(), request)).resolves.toEqual(shredded);
      expect(hsm.size).toBe(0);
    },
  );
});

describe('what is done is done', () => {
  test('for the revocation of a token; one that never was is not found', async () => {
    const { tokenId } = await createApiToken({ kms: f.kms, caller: f.admin }, { name: 'token', role: 'key_user' });
    await revokeApiToken({ kms: f.kms, caller: f.admin, idempotency: once('revoke') }, { tokenId });
    for (const idempotency of [once('revoke'), once('other')])
      await expect(
        revokeApiToken({ kms: await f.restarted(), caller: f.admin, idempotency }, { tokenId }),
      ).resolves.not.toThrow();
    await expect(revokeApiToken({ kms: f.kms, caller: f.admin }, { tokenId: f.tenantId })).rejects.toThrow(
      failure('NOT_FOUND'),
    );
  });

  test('for the shred of a tenant, which is repeated until its HSM is clean', async () => {
    await createKey({ kms: f.kms, caller: f.admin }, { protectionLevel: 'hsm' });
    const { tenantId } = f;
    const shredding = (idempotency?: IdempotencyRequest) =>
      shredTenant(
        { kms: f.kms, caller: f.admin },
        {
          tenantId,
          confirmation: `SHRED-${tenantId}`,
          reason: 'test',
          ...(idempotency === undefined ? {} : { idempotency }),
        },
      );
    hsm.goAway();
    for (const idempotency of [once('shred'), once('shred'), undefined])
      await expect(shredding(idempotency)).rejects.toThrow(UNAVAILABLE);
    hsm.comeBack();
    await expect(shredding(once('shred'))).resolves.toMatchObject({ state: 'shredded' });
    expect(hsm.size).toBe(0);
    await expect(shredding()).resolves.toMatchObject({ state: 'shredded' });
    expect(await listTenants({ kms: f.kms, caller: operator }, {})).toMatchObject({
      items: [{ tenantId, state: 'shredded' }],
    });
  });
});
