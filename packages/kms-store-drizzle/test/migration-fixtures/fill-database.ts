import { randomBytes } from 'node:crypto';
import { KmsError, resolveAlgorithm, SYSTEM_TENANT } from '@qnsp/kms-core';
import {
  authenticateToken,
  createApiToken,
  createIdentityBinding,
  createKey,
  createMigration,
  createTenant,
  deleteIdentityBinding,
  denyIdentity,
  liftIdentityDenial,
  destroyKey,
  encapsulate,
  encrypt,
  type Kms,
  mac,
  operationOfService,
  revokeApiToken,
  revokeKey,
  rotateApiToken,
  resealMasterKeys,
  resumeKey,
  rotateKey,
  rotateMasterKey,
  shredKey,
  shredTenant,
  sign,
  suspendKey,
} from '@qnsp/kms-core/internal';
import { newId } from '@qnsp/kms-core/ports';
import { administrator } from './fixture-kms.ts';

const BUDGET = 5;

/** What was done with the keys of a fixture and has to come out the same later; bytes in base64. */
export interface Uses {
  readonly tenantId: string;
  readonly shreddedTenantId: string;
  readonly plaintext: string;
  /** Two ciphertexts of one key, under its first and its second version. */
  readonly ciphertexts: readonly string[];
  readonly signature: { readonly keyId: string; readonly signature: string };
  readonly mac: { readonly keyId: string; readonly mac: string };
  readonly kem: { readonly keyId: string; readonly kemCiphertext: string; readonly sharedSecret: string };
  /** A key that was used for all operations of its budget but one. */
  readonly budget: { readonly keyId: string };
  readonly liveToken: string;
  readonly revokedToken: string;
  /** Subjects of an issuer; absent before there were bindings of identities. */
  readonly identities?: {
    readonly issuer: string;
    /** May use this key. */
    readonly bound: string;
    readonly keyId: string;
    readonly denied: string;
    readonly removed: string;
  };
}

/** Makes a key of each kind and state, tokens and tenants, by the operations of the core. */
export async function fillDatabase(kms: Kms): Promise<Uses> {
  const platform = administrator(SYSTEM_TENANT);
  const { tenantId } = await createTenant({ kms, caller: platform }, { name: 'acme' });
  const { tenantId: shreddedTenantId } = await createTenant({ kms, caller: platform }, { name: 'gone' });
  const caller = administrator(tenantId);
  const create = async (algorithm: string, settings: object = {}): Promise<string> => {
    const key = await createKey({ kms, caller }, { algorithm: resolveAlgorithm(algorithm), ...settings });
    return key.keyId;
  };
  const plaintext = Buffer.from('written before the newest migration');
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

  const keyId = await create('AES-256-GCM', {
    name: "the owner's key",
    rotation: { periodSeconds: 86_400, retainVersions: 3 },
    metadata: { team: 'payments', 'line\nbreak': '; -- "quoted"' },
    policy: { version: '1', statements: [{ effect: 'allow', actions: ['kms:*'], resources: ['*'] }] },
    usageLimits: { expiresAt: new Date('2999-12-31T23:59:59.999Z') },
  });
  const first = await encrypt({ kms, caller }, { keyId, plaintext });
  await rotateKey({ kms, caller }, { keyId });
  const second = await encrypt({ kms, caller }, { keyId, plaintext });
  // The first version of the master key is gone; what comes after the next rotation is under another one than what is here by then.
  await rotateMasterKey({ kms, caller }, { tenantId });
  await resealMasterKeys(operationOfService(kms, 'resealMasterKeys'), new AbortController().signal);

  const signing = await create('ML-DSA-65', { parentKeyId: keyId });
  const { signature } = await sign({ kms, caller }, { keyId: signing, data: plaintext });
  const macKey = await create('HMAC-SHA256');
  const tag = await mac({ kms, caller }, { keyId: macKey, data: plaintext });
  const kem = await create('X-Wing', { requireApproval: 1 });
  const { ciphertext: kemCiphertext, sharedSecret } = await encapsulate({ kms, caller }, { keyId: kem });

  const budget = await create('ChaCha20-Poly1305', { usageLimits: { maxOperations: BUDGET } });
  for (let used = 0; used < BUDGET - 1; used += 1) await encrypt({ kms, caller }, { keyId: budget, plaintext });

  await createMigration({ kms, caller }, { target: 'quantum-safe', selector: { name: 'nobody' } });
  await suspendKey({ kms, caller }, { keyId: await create('AES-128-GCM') });
  await revokeKey({ kms, caller }, { keyId: await create('Ed25519'), reason: 'suspected_compromise' });
  await destroyKey({ kms, caller }, { keyId: await create('X25519') });
  const shredded = await create('AES-256-GCM');
  await shredKey({ kms, caller }, { keyId: shredded, confirmation: `SHRED-${shredded}` });

  await rotateMasterKey({ kms, caller }, { tenantId });
  await suspendKey({ kms, caller }, { keyId: macKey });
  await resumeKey({ kms, caller }, { keyId: macKey });
  const live = await createApiToken(
    { kms, caller, idempotency: { key: newId(), fingerprint: randomBytes(32) } },
    { name: 'deploy', role: 'key_user', permissions: ['kms:random'] },
  );
  const revoked = await createApiToken({ kms, caller }, { name: 'lost', role: 'auditor' });
  await revokeApiToken({ kms, caller }, { tokenId: revoked.tokenId });

  const limited = await createApiToken(
    { kms, caller },
    {
      name: 'letters',
      role: 'key_user',
      purpose: 'encrypts letters',
      keys: [keyId],
      addresses: ['192.0.2.0/24', '2001:db8::/32'],
      rate: 100,
      expiresAt: new Date('2999-12-31T23:59:59.999Z'),
    },
  );
  await rotateApiToken({ kms, caller }, { tokenId: limited.tokenId });
  await authenticateToken(kms, live.token);
  await kms.tokens.uses.flush(kms.store);
  await kms.uses.flush(kms.store);
  const issuer = 'https://issuer.example';
  await createIdentityBinding({ kms, caller }, { issuer, match: { sub: 'orders*' }, role: 'key_user', keys: [keyId] });
  const removed = await createIdentityBinding({ kms, caller }, { issuer, match: { sub: 'removed' }, role: 'auditor' });
  await deleteIdentityBinding({ kms, caller }, removed);
  await denyIdentity({ kms, caller }, { issuer, sub: 'orders denied' });
  const denied = await denyIdentity({ kms, caller }, { issuer, jti: 'lifted' });
  await liftIdentityDenial({ kms, caller }, denied);

  await destroyKey({ kms, caller }, { keyId: kem }).catch((error: unknown) => {
    if (!KmsError.is(error) || error.code !== 'APPROVAL_REQUIRED') throw error;
  });

  const gone = administrator(shreddedTenantId);
  await createKey({ kms, caller: gone }, {});
  await shredTenant(
    { kms, caller: gone },
    {
      tenantId: shreddedTenantId,
      confirmation: `SHRED-${shreddedTenantId}`,
      reason: 'test',
    },
  );
  kms.counter.count(tenantId);
  await kms.counter.flush(kms.store);

  return {
    tenantId,
    shreddedTenantId,
    plaintext: base64(plaintext),
    ciphertexts: [base64(first.ciphertext), base64(second.ciphertext)],
    signature: { keyId: signing, signature: base64(signature) },
    mac: { keyId: macKey, mac: base64(tag.mac) },
    kem: { keyId: kem, kemCiphertext: base64(kemCiphertext), sharedSecret: base64(sharedSecret) },
    budget: { keyId: budget },
    liveToken: live.token,
    revokedToken: revoked.token,
    identities: { issuer, bound: 'orders', denied: 'orders denied', removed: 'removed', keyId },
  };
}
