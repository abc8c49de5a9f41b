import { createPublicKey, encapsulate, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  addRoot,
  applyTombstones,
  authenticateToken,
  bootstrapTenant,
  type Caller,
  checkRoots,
  completeWraps,
  createApiToken,
  createDataKey,
  createImportParameters,
  createIdentityBinding,
  createKey,
  createMigration,
  createTenant,
  decrypt,
  deleteIdentityBinding,
  deleteKeyPolicy,
  denyIdentity,
  destroyKey,
  encrypt,
  establishRoots,
  getApiToken,
  getIdentityBinding,
  getKey,
  getKeyUsage,
  getKeyPolicy,
  getPublicKey,
  importKey,
  initialiseRoots,
  installPlatformToken,
  KeyHierarchy,
  exportInventory,
  getInventory,
  keyStatistics,
  type Kms,
  listApiTokens,
  decideApproval,
  getApproval,
  KmsError,
  listApprovals,
  liftIdentityDenial,
  listIdentityBindings,
  listIdentityDenials,
  listKeys,
  listTenants,
  mac,
  newId,
  putKeyPolicy,
  random,
  reencrypt,
  resolveAlgorithm,
  restoreKey,
  resumeKey,
  retireRoot,
  retireVersions,
  revokeApiToken,
  revokeKey,
  type RootProvider,
  rootStatus,
  rotateApiToken,
  rotateKey,
  rotateRoot,
  rotationSchedules,
  runDueWork,
  runMigrations,
  shredKey,
  shredTenant,
  updateTenant,
  sign,
  suspendKey,
  sweepResidentKeys,
  SYSTEM_TENANT,
  unwrap,
  updateKey,
  upgradeKey,
  verify,
  verifyMac,
  wrap,
  wrapWithPadding,
  bindTenants,
  RECORD_FORMATS,
  type OperationName,
  operationOfService,
} from '../src/exports/internal.ts';
import { addTenant, failableRoot, inMemoryStore, softwareResidentKeys } from '../src/testing/index.ts';
import { callerOf, type Fixture, makeFixture } from './kms-fixture.ts';
import { watchUnits } from './watched-units.ts';

const DATA = Buffer.from('data');
const DAY = 24 * 60 * 60 * 1000;
const LIMITS = { createLimitSeconds: 60, orphanGraceSeconds: 60 };
const POLICY = {
  version: '1',
  statements: [{ effect: 'allow', principals: ['*'], actions: ['kms:encrypt'], resources: ['*'] }],
} as const;
const BINDING = { issuer: 'https://issuer.example', match: { sub: 'orders' }, role: 'key_user' } as const;
const operator = callerOf(SYSTEM_TENANT, null, ['kms:tenants:manage']);

/** What there is before an operation, made by a node that has stopped since. */
interface Prepared {
  readonly f: Fixture;
  readonly admin: Caller;
  /** Keys in the HSM, by algorithm. */
  readonly keyIds: Readonly<Record<'aes' | 'hmac' | 'pair', string>>;
  readonly ciphertext: Uint8Array;
  readonly wrappedKey: Uint8Array;
  readonly signature: Uint8Array;
  readonly tag: Uint8Array;
  readonly token: { readonly token: string; readonly tokenId: string };
  readonly binding: { readonly bindingId: string };
  readonly denial: { readonly denialId: string };
  readonly approval: { readonly approvalId: string };
}

async function prepare(): Promise<Prepared> {
  const f = await makeFixture({
    root: failableRoot('hsm-a', randomBytes(32)),
    resident: [softwareResidentKeys('hsm-a')],
  });
  const { kms, admin } = f;
  const create = async (algorithm: string) =>
    (await createKey({ kms, caller: admin }, { algorithm: resolveAlgorithm(algorithm), protectionLevel: 'hsm' })).keyId;
  const keyIds = { aes: await create('aes-256-gcm'), hmac: await create('hmac-sha256'), pair: await create('ed25519') };
  return {
    f,
    admin,
    keyIds,
    ciphertext: (await encrypt({ kms, caller: admin }, { keyId: keyIds.aes, plaintext: DATA })).ciphertext,
    wrappedKey: (await wrap({ kms, caller: admin }, { keyId: keyIds.aes, dataKey: DATA })).wrappedKey,
    signature: (await sign({ kms, caller: admin }, { keyId: keyIds.pair, data: DATA })).signature,
    tag: (await mac({ kms, caller: admin }, { keyId: keyIds.hmac, data: DATA })).mac,
    token: await createApiToken({ kms, caller: admin }, { name: 'token', role: 'key_user' }),
    binding: { bindingId: (await createIdentityBinding({ kms, caller: admin }, BINDING)).bindingId },
    denial: await denyIdentity({ kms, caller: admin }, { issuer: BINDING.issuer, jti: 'lifted' }),
    approval: { approvalId: await askedFor({ kms, caller: admin }) },
  };
}

/** The id of a request for approvals. */
async function askedFor(op: Pick<Prepared['f'], 'kms'> & { readonly caller: Caller }): Promise<string> {
  const { keyId } = await createKey(op, { requireApproval: 1 });
  const refusal: unknown = await destroyKey(op, { keyId }).catch((error: unknown) => error);
  return KmsError.is(refusal) ? String(refusal.details?.['approvalId']) : '';
}

type Operation = (kms: Kms, prepared: Prepared) => unknown;

const once = (name: string) => ({ key: name, fingerprint: Buffer.alloc(32, 1) });

/** Each begins on a node with nothing in memory: whatever it needs of an HSM it has to ask for. */
const OPERATIONS: Readonly<Record<string, Operation>> = {
  authenticateToken: (kms, { token }) => authenticateToken(kms, token.token),
  createKey: (kms, { admin }) =>
    createKey({ kms, caller: admin, idempotency: once('create') }, { protectionLevel: 'hsm' }),
  'createKey in software': (kms, { admin }) =>
    createKey({ kms, caller: admin }, { algorithm: resolveAlgorithm('x-wing') }),
  getKey: (kms, { admin, keyIds }) => getKey({ kms, caller: admin }, { keyId: keyIds.aes }),
  listKeys: (kms, { admin }) => listKeys({ kms, caller: admin }, {}),
  keyStatistics: (kms, { admin }) => keyStatistics({ kms, caller: admin }),
  getInventory: (kms, { admin }) => getInventory({ kms, caller: admin }, {}),
  exportInventory: async (kms, { admin }) => {
    for await (const { items } of await exportInventory({ kms, caller: admin })) expect(items).not.toHaveLength(0);
  },
  rotationSchedules: (kms, { admin }) => rotationSchedules({ kms, caller: admin }, {}),
  getPublicKey: (kms, { admin, keyIds }) => getPublicKey({ kms, caller: admin }, { keyId: keyIds.pair }),
  updateKey: (kms, { admin, keyIds }) => updateKey({ kms, caller: admin }, { keyId: keyIds.aes, name: 'other' }),
  putKeyPolicy: (kms, { admin, keyIds }) => putKeyPolicy({ kms, caller: admin }, { keyId: keyIds.aes, policy: POLICY }),
  getKeyPolicy: (kms, { admin, keyIds }) => getKeyPolicy({ kms, caller: admin }, { keyId: keyIds.aes }),
  deleteKeyPolicy: (kms, { admin, keyIds }) => deleteKeyPolicy({ kms, caller: admin }, { keyId: keyIds.aes }),
  rotateKey: (kms, { admin, keyIds }) =>
    rotateKey({ kms, caller: admin, idempotency: once('rotate') }, { keyId: keyIds.aes }),
  upgradeKey: (kms, { admin, keyIds }) => upgradeKey({ kms, caller: admin }, { keyId: keyIds.pair }),
  'getKeyUsage, retireVersions': async (kms, { admin, keyIds }) => {
    await getKeyUsage({ kms, caller: admin }, { keyId: keyIds.aes });
    await retireVersions({ kms, caller: admin }, { keyId: keyIds.aes, olderThanDays: 1 });
  },
  'suspendKey, resumeKey': async (kms, { admin, keyIds }) => {
    await suspendKey({ kms, caller: admin }, { keyId: keyIds.aes });
    await resumeKey({ kms, caller: admin }, { keyId: keyIds.aes });
  },
  revokeKey: (kms, { admin, keyIds }) =>
    revokeKey({ kms, caller: admin }, { keyId: keyIds.aes, reason: 'end_of_life', cascade: true }),
  'destroyKey, restoreKey': async (kms, { admin, keyIds }) => {
    await destroyKey({ kms, caller: admin }, { keyId: keyIds.aes });
    await restoreKey({ kms, caller: admin }, { keyId: keyIds.aes });
  },
  shredKey: (kms, { admin, keyIds }) =>
    shredKey(
      { kms, caller: admin, idempotency: once('shred') },
      { keyId: keyIds.aes, confirmation: `SHRED-${keyIds.aes}` },
    ),
  importKey: async (kms, { admin }) => {
    const wrappingAlgorithm = 'ML_KEM_768_AES_KWP';
    const { importToken, publicKey } = await createImportParameters({ kms, caller: admin }, { wrappingAlgorithm });
    const key = createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' });
    const { sharedKey, ciphertext } = encapsulate(key);
    const wrappedMaterial = Buffer.concat([ciphertext, wrapWithPadding(sharedKey, randomBytes(32))]);
    const algorithm = resolveAlgorithm('aes-256-gcm');
    await importKey({ kms, caller: admin }, { algorithm, wrappingAlgorithm, importToken, wrappedMaterial });
  },
  encrypt: (kms, { admin, keyIds }) => encrypt({ kms, caller: admin }, { keyId: keyIds.aes, plaintext: DATA }),
  decrypt: (kms, { admin, ciphertext }) => decrypt({ kms, caller: admin }, { ciphertext }),
  reencrypt: (kms, { admin, ciphertext }) => reencrypt({ kms, caller: admin }, { ciphertext }),
  wrap: (kms, { admin, keyIds }) => wrap({ kms, caller: admin }, { keyId: keyIds.aes, dataKey: DATA }),
  unwrap: (kms, { admin, wrappedKey }) => unwrap({ kms, caller: admin }, { wrappedKey }),
  createDataKey: (kms, { admin, keyIds }) => createDataKey({ kms, caller: admin }, { keyId: keyIds.aes }),
  random: (kms, { admin }) => random({ kms, caller: admin }, { bytes: 32 }),
  sign: (kms, { admin, keyIds }) => sign({ kms, caller: admin }, { keyId: keyIds.pair, data: DATA }),
  verify: (kms, { admin, keyIds, signature }) =>
    verify({ kms, caller: admin }, { keyId: keyIds.pair, data: DATA, signature }),
  mac: (kms, { admin, keyIds }) => mac({ kms, caller: admin }, { keyId: keyIds.hmac, data: DATA }),
  verifyMac: (kms, { admin, keyIds, tag }) =>
    verifyMac({ kms, caller: admin }, { keyId: keyIds.hmac, data: DATA, mac: tag }),
  createApiToken: (kms, { admin }) =>
    createApiToken({ kms, caller: admin, idempotency: once('token') }, { name: 'second', role: 'key_user' }),
  rotateApiToken: (kms, { admin, token }) =>
    rotateApiToken({ kms, caller: admin, idempotency: once('rotate-token') }, { tokenId: token.tokenId }),
  getApiToken: (kms, { admin, token }) => getApiToken({ kms, caller: admin }, { tokenId: token.tokenId }),
  listApiTokens: (kms, { admin }) => listApiTokens({ kms, caller: admin }, {}),
  revokeApiToken: (kms, { admin, token }) =>
    revokeApiToken({ kms, caller: admin }, { tokenId: token.tokenId, cascade: true }),
  createIdentityBinding: (kms, { admin }) =>
    createIdentityBinding({ kms, caller: admin, idempotency: once('binding') }, BINDING),
  listIdentityBindings: (kms, { admin }) => listIdentityBindings({ kms, caller: admin }, {}),
  getIdentityBinding: (kms, { admin, binding }) => getIdentityBinding({ kms, caller: admin }, binding),
  deleteIdentityBinding: (kms, { admin, binding }) => deleteIdentityBinding({ kms, caller: admin }, binding),
  denyIdentity: (kms, { admin }) => denyIdentity({ kms, caller: admin }, { issuer: BINDING.issuer, sub: 'orders' }),
  listIdentityDenials: (kms, { admin }) => listIdentityDenials({ kms, caller: admin }, {}),
  liftIdentityDenial: (kms, { admin, denial }) =>
    liftIdentityDenial({ kms, caller: admin, idempotency: once('lift') }, denial),
  listApprovals: (kms, { admin }) => listApprovals({ kms, caller: admin }, {}),
  getApproval: (kms, { admin, approval }) => getApproval({ kms, caller: admin }, approval),
  decideApproval: (kms, { admin, approval }) =>
    decideApproval({ kms, caller: admin }, { ...approval, decision: 'withdraw' }),
  installPlatformToken: (kms) =>
    installPlatformToken(
      operationOfService(kms, 'installPlatformToken'),
      `qnsp_pqc_${randomBytes(32).toString('base64url')}`,
    ),
  createTenant: (kms) => createTenant({ kms, caller: operator, idempotency: once('tenant') }, { name: 'second' }),
  listTenants: (kms) => listTenants({ kms, caller: operator }, {}),
  updateTenant: (kms, { f }) =>
    updateTenant(
      { kms, caller: operator, idempotency: once('limits') },
      { tenantId: f.tenantId, limits: { rate: null } },
    ),
  shredTenant: (kms, { admin, f }) =>
    shredTenant({ kms, caller: admin }, { tenantId: f.tenantId, confirmation: `SHRED-${f.tenantId}`, reason: 'test' }),
  'createMigration, runMigrations': async (kms, { admin }) => {
    await createMigration({ kms, caller: admin }, { target: 'quantum-safe', dryRun: true });
    await createMigration({ kms, caller: admin, idempotency: once('migration') }, { target: 'quantum-safe' });
    await runMigrations(operationOfService(kms, 'runMigrations'), { holder: 'one' }, AbortSignal.timeout(60_000));
  },
  'runDueWork: rotation': async (kms, { admin, f, keyIds }) => {
    await updateKey({ kms, caller: admin }, { keyId: keyIds.aes, rotation: { periodSeconds: 3600 } });
    f.advance(DAY);
    expect(
      await runDueWork(operationOfService(await f.restarted(), 'runDueWork'), AbortSignal.timeout(60_000)),
    ).toMatchObject({
      rotated: 1,
      failed: [],
    });
  },
  'runDueWork: destruction': async (kms, { admin, f, keyIds }) => {
    await destroyKey({ kms, caller: admin }, { keyId: keyIds.aes, pendingDays: 1 });
    f.advance(2 * DAY);
    const report = await runDueWork(operationOfService(await f.restarted(), 'runDueWork'), AbortSignal.timeout(60_000));
    expect(report).toMatchObject({ destroyed: 1, failed: [] });
  },
  sweepResidentKeys: async (kms) => {
    const [report] = await sweepResidentKeys(operationOfService(kms, 'sweepResidentKeys'), LIMITS);
    expect(report).toMatchObject({ answers: true, failed: [] });
  },
  applyTombstones: (kms, { f, keyIds }) =>
    applyTombstones(operationOfService(kms, 'applyTombstones'), [
      { kind: 'key', tenantId: f.tenantId, keyId: keyIds.aes, state: 'destroyed', reason: null, at: new Date() },
      { kind: 'tenant', tenantId: f.tenantId },
    ]),
  checkRoots: (kms) => checkRoots(operationOfService(kms, 'checkRoots')),
};

describe('no HSM is asked in a unit of work', () => {
  test.for(Object.entries(OPERATIONS))('%s', async ([, operation]) => {
    const prepared = await prepare();
    await operation(await prepared.f.restarted(), prepared);
    expect(prepared.f.units.refused).toEqual([]);
    expect(prepared.f.units.letThrough).toBeGreaterThan(0);
  });

  test('by the first start, and by every ceremony', async () => {
    const units = watchUnits(inMemoryStore());
    const { store } = units;
    const [a, b, next] = ['hsm-a', 'hsm-b', 'hsm-a'].map((id) => units.root(failableRoot(id, randomBytes(32))));
    if (a === undefined || b === undefined || next === undefined) throw new Error('there are three roots');
    const made: string[] = [];
    const makeRoot = async (root: RootProvider) => {
      // It is made by the HSM, which is what takes longest.
      made.push(await root.checkValue());
    };
    const clock = () => Date.now();
    const over = (...roots: RootProvider[]) => new KeyHierarchy(store, roots);
    const by = (name: OperationName, hierarchy: KeyHierarchy) =>
      operationOfService({ store, hierarchy, makeRoot, clock }, name);
    await initialiseRoots(by('initialiseRoots', over(a)));
    await establishRoots(store, over(a), [a], makeRoot);
    const token = { name: 'token', role: 'tenant_admin' } as const;
    const bootstrap = by('bootstrapTenant', over(a));
    await bootstrapTenant(bootstrap, { name: 'first', token, publish: () => undefined });
    expect(await addRoot(by('addRoot', over(a, b)), { providerId: 'hsm-b' })).toMatchObject({ added: 2 });
    expect(await rotateRoot(by('rotateRoot', over(a, b, next)), { next })).toMatchObject({ added: 2 });
    const retired = { providerId: 'hsm-a', checkValue: await a.checkValue() };
    await retireRoot(by('retireRoot', over(a, b, next)), retired);
    expect(await rootStatus(by('rootStatus', over(next, b)))).toMatchObject({
      masterKeys: 2,
      roots: [{ wraps: 2 }, { wraps: 2 }],
    });
    await completeWraps(by('completeWraps', over(next, b)));
    await addTenant(store, new KeyHierarchy(store, [next, b], { formats: { ...RECORD_FORMATS, written: 1 } }));
    expect(await bindTenants(by('bindTenants', over(next, b)), { limit: 1 })).toEqual({ bound: 1, left: 0 });
    expect(made).toHaveLength(3);
    expect(units.refused).toEqual([]);
  });

  test('and what asks one there is found', async () => {
    const { kms, units } = await makeFixture();
    await expect(
      kms.store.transact({ kind: 'system' }, async () => kms.hierarchy.prepareMasterKey(newId(), [])),
    ).rejects.toThrow(/in a unit of work/);
    expect(units.refused).toEqual(['random']);
  });
});
