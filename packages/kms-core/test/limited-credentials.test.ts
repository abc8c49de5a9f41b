import { beforeAll, describe, expect, test } from 'vitest';
import {
  type Caller,
  createApiToken,
  createIdentityBinding,
  createKey,
  createTenant,
  decrypt,
  deleteIdentityBinding,
  denyIdentity,
  encrypt,
  getIdentityBinding,
  getKey,
  keyStatistics,
  createImportParameters,
  listApiTokens,
  liftIdentityDenial,
  listIdentityBindings,
  listIdentityDenials,
  listKeys,
  PERMISSIONS,
  putKeyPolicy,
  revokeApiToken,
  revokeKey,
  rotateKey,
  shredTenant,
  SYSTEM_TENANT,
} from '../src/exports/internal.ts';
import { isAllowed } from '../src/access/evaluate-policy.ts';
import { type Fixture, makeFixture } from './kms-fixture.ts';

let f: Fixture;
let own: string;
let other: string;
/** Holds everything, for one key. */
let limited: Caller;
const data = Buffer.from('data');

beforeAll(async () => {
  f = await makeFixture();
  own = (await createKey({ kms: f.kms, caller: f.admin }, { name: 'own' })).keyId;
  other = (await createKey({ kms: f.kms, caller: f.admin }, { name: 'other' })).keyId;
  limited = { ...f.admin, permissions: new Set(PERMISSIONS), keys: new Set([own]) };
  await putKeyPolicy(
    { kms: f.kms, caller: f.admin },
    {
      keyId: other,
      policy: {
        version: '1',
        statements: [{ effect: 'allow', actions: ['kms:keys:*', 'kms:encrypt'], resources: ['*'] }],
      },
    },
  );
});

describe('a credential for some keys', () => {
  test('holds every permission for its key, and none for another one, whatever the policy of that says', () => {
    const allowAll = { version: '1', statements: [{ effect: 'allow', actions: ['*'], resources: ['*'] }] } as const;
    const denyAll = { version: '1', statements: [{ effect: 'deny', actions: ['*'], resources: ['*'] }] } as const;
    for (const permission of PERMISSIONS) {
      expect(isAllowed(limited, permission, { keyId: own, policy: null }, 0)).toBe(true);
      for (const policy of [null, allowAll, denyAll])
        expect(isAllowed(limited, permission, { keyId: other, policy }, 0), permission).toBe(false);
    }
  });

  test('uses its key and is refused every other one', async () => {
    const { ciphertext } = await encrypt({ kms: f.kms, caller: limited }, { keyId: own, plaintext: data });
    expect(Buffer.from((await decrypt({ kms: f.kms, caller: limited }, { ciphertext })).plaintext)).toEqual(data);
    const foreign = (await encrypt({ kms: f.kms, caller: f.admin }, { keyId: other, plaintext: data })).ciphertext;
    const calls = [
      async () => encrypt({ kms: f.kms, caller: limited }, { keyId: other, plaintext: data }),
      async () => decrypt({ kms: f.kms, caller: limited }, { ciphertext: foreign }),
      () => getKey({ kms: f.kms, caller: limited }, { keyId: other }),
      () => rotateKey({ kms: f.kms, caller: limited }, { keyId: other }),
      () => revokeKey({ kms: f.kms, caller: limited }, { keyId: other, reason: 'suspected_compromise' }),
    ];
    for (const call of calls)
      await expect(call(), String(call)).rejects.toMatchObject({
        code: 'FORBIDDEN',
        message: 'The credential is limited to other keys.',
      });
    expect((await listKeys({ kms: f.kms, caller: limited }, {})).items.map(({ keyId }) => keyId)).toEqual([own]);
  });

  test('creates tokens for its keys alone, whether or not they are named', async () => {
    const create = (keys?: readonly string[]) =>
      createApiToken({ kms: f.kms, caller: limited }, { name: 'more', role: 'key_user', ...(keys && { keys }) });
    for (const keys of [undefined, [own]]) expect((await create(keys)).keys).toEqual([own]);
    for (const keys of [[other], [own, other]])
      await expect(create(keys)).rejects.toMatchObject({ code: 'FORBIDDEN', details: { limit: 'keys' } });
  });

  test('is refused what reaches beyond its keys, so that it cannot get itself an unlimited credential', async () => {
    const platform = { ...limited, tenantId: SYSTEM_TENANT };
    const made = await createApiToken({ kms: f.kms, caller: f.admin }, { name: 'token', role: 'auditor' });
    const calls = [
      () => createKey({ kms: f.kms, caller: limited }, {}),
      () => createImportParameters({ kms: f.kms, caller: limited }, { wrappingAlgorithm: 'RSA_AES_KEY_WRAP_SHA_256' }),
      () => listApiTokens({ kms: f.kms, caller: limited }, {}),
      () => keyStatistics({ kms: f.kms, caller: limited }),
      () => revokeApiToken({ kms: f.kms, caller: limited }, { tokenId: made.tokenId }),
      () =>
        createIdentityBinding({ kms: f.kms, caller: limited }, { issuer: 'i', match: { sub: 'me' }, role: 'key_user' }),
      () => listIdentityBindings({ kms: f.kms, caller: limited }, {}),
      () => getIdentityBinding({ kms: f.kms, caller: limited }, { bindingId: made.tokenId }),
      () => deleteIdentityBinding({ kms: f.kms, caller: limited }, { bindingId: made.tokenId }),
      () => denyIdentity({ kms: f.kms, caller: limited }, { issuer: 'i', sub: 'me' }),
      () => listIdentityDenials({ kms: f.kms, caller: limited }, {}),
      () => liftIdentityDenial({ kms: f.kms, caller: limited }, { denialId: made.tokenId }),
      () => createTenant({ kms: f.kms, caller: platform }, { name: 'tenant' }),
      () =>
        shredTenant(
          { kms: f.kms, caller: limited },
          { tenantId: f.tenantId, confirmation: f.tenantId, reason: 'test' },
        ),
    ];
    for (const call of calls)
      await expect((async () => call())(), String(call)).rejects.toMatchObject({
        code: 'FORBIDDEN',
        message: expect.stringContaining('limited to some keys'),
      });
  });
});
