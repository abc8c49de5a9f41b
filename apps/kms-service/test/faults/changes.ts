import { createCipheriv, createPublicKey, encapsulate, randomBytes, randomUUID } from 'node:crypto';
import type { OperationId } from '@qnsp/kms-contract';
import type { Sql } from 'postgres';
import { expect } from 'vitest';
import type { Answer } from '../local-service.ts';
import type { ClientRequest, KmsOnPostgres } from './kms-on-postgres.ts';

/** A mutating call, aimed at something that nothing else changes. */
export interface AimedChange {
  /** Sends it; each time with the same `Idempotency-Key`. */
  send(): Promise<Answer>;
  /** How often it has taken effect, by the rows. */
  effects(sql: Sql): Promise<number>;
  /** Uses the material that the change puts out of use, for changes that do; hot on the node from before. */
  use?(): Promise<Answer>;
}

const KEYS = '/kms/v1/keys';
const TOKENS = '/kms/v1/tokens';
const MIGRATIONS = '/kms/v1/migrations';
const IDENTITIES = '/kms/v1/identity-bindings';
const POLICY = { version: '1', statements: [{ effect: 'allow', actions: ['kms:encrypt'], resources: ['*'] }] };
const PLAINTEXT = Buffer.from('data').toString('base64');

type Aim = (kms: KmsOnPostgres) => Promise<AimedChange>;

/**
 * The header of somebody who creates tokens in a tenant of their own: creations of a tenant are counted one after the other, and a call
 * that makes a token holds the one that it is made with.
 */
async function ownCreator(kms: KmsOnPostgres): Promise<Readonly<Record<string, string>>> {
  const tenant = await kms.platform({ method: 'POST', path: '/kms/v1/tenants', body: { name: 'creating' } });
  const creator = await kms.platform({
    method: 'POST',
    path: TOKENS,
    body: { name: 'creator', role: 'tenant_admin' },
    headers: { 'x-qnsp-tenant': String(tenant.body['tenantId']) },
  });
  return { authorization: `Bearer ${String(creator.body['token'])}` };
}

/** The tenant of a credential. */
async function tenantOf(kms: KmsOnPostgres, headers: Readonly<Record<string, string>>): Promise<string> {
  const { body } = await kms.call({ method: 'GET', path: `${TOKENS}/self`, headers });
  return String(body['tenantId']);
}

/** Every mutating call of the contract, by its operation: a fault must neither lose nor repeat one. */
export const CHANGES = {
  createKey: (kms) => {
    const name = randomUUID();
    return aimed(once(kms.call, { method: 'POST', path: KEYS, body: { name } }), keysNamed(name));
  },
  importKey: async (kms) => {
    const name = randomUUID();
    const wrappingAlgorithm = 'ML_KEM_768_AES_KWP';
    const { body } = await kms.call({
      method: 'GET',
      path: `/kms/v1/byok/parameters?wrappingAlgorithm=${wrappingAlgorithm}`,
    });
    const { importToken, publicKeyPem } = body;
    const wrappedMaterial = wrapMaterial(randomBytes(32), String(publicKeyPem)).toString('base64');
    const request = { name, algorithm: 'AES-256-GCM', wrappingAlgorithm, importToken, wrappedMaterial };
    return aimed(once(kms.call, { method: 'POST', path: '/kms/v1/byok/import', body: request }), keysNamed(name));
  },
  updateKey: (kms) => aimedAtKey(kms, (path) => ({ method: 'PATCH', path, body: { name: 'renamed' } })),
  rotateKey: (kms) => aimedAtKey(kms, (path) => ({ method: 'POST', path: `${path}/rotate` })),
  upgradeKey: (kms) => aimedAtKey(kms, (path) => ({ method: 'POST', path: `${path}/upgrade` })),
  retireVersions: async (kms) => {
    const headers = await ownCreator(kms);
    const made = await kms.call({ method: 'POST', path: KEYS, body: {}, headers });
    const path = `${KEYS}/${String(made.body['keyId'])}/retire`;
    const tenantId = await tenantOf(kms, headers);
    // Nothing was superseded a day ago: all that it leaves is its answer, the only one of the tenant.
    return aimed(once(kms.call, { method: 'POST', path, body: { olderThanDays: 1 }, headers }), async (sql) => {
      const answers = await sql`
        select from kms.idempotency_keys where tenant_id = ${tenantId} and answer is not null`;
      return answers.length;
    });
  },
  putKeyPolicy: (kms) => aimedAtKey(kms, (path) => ({ method: 'PUT', path: `${path}/policy`, body: POLICY })),
  deleteKeyPolicy: (kms) =>
    aimedAtKey(
      kms,
      (path) => ({ method: 'DELETE', path: `${path}/policy` }),
      (path) => ({ method: 'PUT', path: `${path}/policy`, body: POLICY }),
    ),
  suspendKey: (kms) => aimedAtLife(kms, (path) => ({ method: 'POST', path: `${path}/suspend` })),
  resumeKey: (kms) =>
    aimedAtKey(
      kms,
      (path) => ({ method: 'POST', path: `${path}/resume` }),
      (path) => ({ method: 'POST', path: `${path}/suspend` }),
    ),
  revokeKey: (kms) =>
    aimedAtLife(kms, (path) => ({ method: 'POST', path: `${path}/revoke`, body: { reason: 'end_of_life' } })),
  destroyKey: (kms) => aimedAtLife(kms, (path) => ({ method: 'DELETE', path })),
  restoreKey: (kms) =>
    aimedAtKey(
      kms,
      (path) => ({ method: 'POST', path: `${path}/restore` }),
      (path) => ({ method: 'DELETE', path }),
    ),
  shredKey: (kms) =>
    aimedAtLife(kms, (path, keyId) => ({
      method: 'POST',
      path: `${path}/shred`,
      body: { confirmation: `SHRED-${keyId}` },
    })),
  createMigration: async (kms) => {
    const headers = await ownCreator(kms);
    const request = { method: 'POST', path: MIGRATIONS, body: { target: 'quantum-safe' }, headers };
    const tenantId = await tenantOf(kms, headers);
    return aimed(once(kms.call, request), async (sql) => {
      const migrations = await sql`select from kms.key_migrations where tenant_id = ${tenantId}`;
      return migrations.length;
    });
  },
  cancelMigration: async (kms) => {
    const headers = await ownCreator(kms);
    const body = { target: 'quantum-safe' };
    const made = await kms.call({ method: 'POST', path: MIGRATIONS, body, headers });
    const { migrationId } = made.body['migration'] as { readonly migrationId: string };
    const request = { method: 'POST', path: `${MIGRATIONS}/${migrationId}/cancel`, headers };
    return aimed(once(kms.call, request), async (sql) => {
      // It may have been completed before, of a tenant without keys.
      const ended = await sql`
        select from kms.key_migrations where migration_id = ${migrationId} and state <> 'running'`;
      return ended.length;
    });
  },
  createToken: async (kms) => {
    const name = randomUUID();
    const headers = await ownCreator(kms);
    const request = { method: 'POST', path: TOKENS, body: { name, role: 'auditor' }, headers };
    return aimed(once(kms.call, request), async (sql) => {
      const tokens = await sql`select from kms.api_tokens where name = ${name}`;
      return tokens.length;
    });
  },
  rotateToken: async (kms) => {
    const headers = await ownCreator(kms);
    const body = { name: 'rotated', role: 'auditor' };
    const made = await kms.call({ method: 'POST', path: TOKENS, body, headers });
    const tokenId = String(made.body['tokenId']);
    const request = { method: 'POST', path: `${TOKENS}/${tokenId}/rotate`, body: {}, headers };
    return aimed(once(kms.call, request), async (sql) => {
      const successors = await sql`select from kms.api_tokens where fields ->> 'replaces' = ${tokenId}`;
      return successors.length;
    });
  },
  revokeToken: async (kms) => {
    const made = await kms.call({ method: 'POST', path: TOKENS, body: { name: 'short-lived', role: 'auditor' } });
    const tokenId = String(made.body['tokenId']);
    return aimed(once(kms.call, { method: 'DELETE', path: `${TOKENS}/${tokenId}` }), async (sql) => {
      const revoked = await sql`select from kms.api_tokens where token_id = ${tokenId} and revoked_at is not null`;
      return revoked.length;
    });
  },
  createIdentityBinding: (kms) => {
    const issuer = `https://${randomUUID()}.example`;
    const body = { issuer, match: { sub: 'orders' }, role: 'auditor' };
    return aimed(once(kms.call, { method: 'POST', path: IDENTITIES, body }), async (sql) => {
      const bindings = await sql`select from kms.identity_bindings where issuer = ${issuer}`;
      return bindings.length;
    });
  },
  deleteIdentityBinding: async (kms) => {
    const body = { issuer: 'https://issuer.example', match: { sub: 'orders' }, role: 'auditor' };
    const bindingId = String((await kms.call({ method: 'POST', path: IDENTITIES, body })).body['bindingId']);
    return aimed(once(kms.call, { method: 'DELETE', path: `${IDENTITIES}/${bindingId}` }), async (sql) => {
      const removed = await sql`
        select from kms.identity_bindings where binding_id = ${bindingId} and removed_at is not null`;
      return removed.length;
    });
  },
  denyIdentity: (kms) => {
    const issuer = `https://${randomUUID()}.example`;
    const request = { method: 'POST', path: `${IDENTITIES}/deny`, body: { issuer, sub: 'orders' } };
    return aimed(once(kms.call, request), async (sql) => {
      const denials = await sql`select from kms.identity_denials where issuer = ${issuer}`;
      return denials.length;
    });
  },
  liftIdentityDenial: async (kms) => {
    const body = { issuer: 'https://issuer.example', sub: randomUUID() };
    const denialId = String((await kms.call({ method: 'POST', path: `${IDENTITIES}/deny`, body })).body['denialId']);
    const path = `/kms/v1/identity-denials/${denialId}/lift`;
    return aimed(once(kms.call, { method: 'POST', path }), async (sql) => {
      const lifted = await sql`select from kms.identity_denials where denial_id = ${denialId} and fields ? 'liftedAt'`;
      return lifted.length;
    });
  },
  decideApproval: async (kms) => {
    const made = await kms.call({ method: 'POST', path: '/kms/v1/keys', body: { requireApproval: 1 } });
    const refusal = await kms.call({ method: 'DELETE', path: `/kms/v1/keys/${String(made.body['keyId'])}` });
    const { approvalId } = refusal.body['details'] as { readonly approvalId: string };
    const request = { method: 'POST', path: `/kms/v1/approvals/${approvalId}`, body: { decision: 'withdraw' } };
    return aimed(once(kms.call, request), async (sql) => {
      const withdrawn = await sql`select from kms.approvals where approval_id = ${approvalId} and state = 'withdrawn'`;
      return withdrawn.length;
    });
  },
  createTenant: (kms) => {
    const name = randomUUID();
    return aimed(once(kms.platform, { method: 'POST', path: '/kms/v1/tenants', body: { name } }), async (sql) => {
      const tenants = await sql`select from kms.tenants where name = ${name}`;
      return tenants.length;
    });
  },
  updateTenant: async (kms) => {
    const tenant = await kms.platform({ method: 'POST', path: '/kms/v1/tenants', body: { name: 'limited' } });
    const tenantId = String(tenant.body['tenantId']);
    const body = { limits: { rate: { unitsPerSecond: 1_000_000 } } };
    return aimed(once(kms.platform, { method: 'PATCH', path: `/kms/v1/tenants/${tenantId}`, body }), async (sql) => {
      const limited =
        await sql`select from kms.tenants where tenant_id = ${tenantId} and fields -> '!rate' = '1000000'`;
      return limited.length;
    });
  },
  rotateMasterKey: async (kms) => {
    const tenant = await kms.platform({ method: 'POST', path: '/kms/v1/tenants', body: { name: 'rotated' } });
    const tenantId = String(tenant.body['tenantId']);
    const request = { method: 'POST', path: `/kms/v1/tenants/${tenantId}/rotate-master-key`, body: {} };
    return aimed(once(kms.platform, request), async (sql) => {
      // The first version goes by itself, as nothing is under it.
      const made = await sql`
        select distinct tmk_version from kms.tenant_master_key_wraps where tenant_id = ${tenantId} and tmk_version > 1`;
      return made.length;
    });
  },
  shredTenant: async (kms) => {
    const tenant = await kms.platform({ method: 'POST', path: '/kms/v1/tenants', body: { name: 'short-lived' } });
    const tenantId = String(tenant.body['tenantId']);
    const headers = { 'x-qnsp-tenant': tenantId };
    const request = {
      method: 'POST',
      path: `/kms/v1/tenants/${tenantId}/crypto-shred`,
      body: { confirmation: `SHRED-${tenantId}`, reason: 'test' },
      headers,
    };
    const key = await kms.platform({ method: 'POST', path: KEYS, body: {}, headers });
    const use = await hotUse(`${KEYS}/${String(key.body['keyId'])}`, (encrypt) =>
      kms.platform({ ...encrypt, headers }),
    );
    const effects = async (sql: Sql): Promise<number> => {
      const shredded = await sql`select from kms.tenants where tenant_id = ${tenantId} and state = 'shredded'`;
      return shredded.length;
    };
    return { send: once(kms.platform, request), effects, use };
  },
} as const satisfies Readonly<Partial<Record<OperationId, Aim>>>;

function aimed(sendIt: () => Promise<Answer>, effects: (sql: Sql) => Promise<number>): Promise<AimedChange> {
  return Promise.resolve({ send: sendIt, effects });
}

function keysNamed(name: string): (sql: Sql) => Promise<number> {
  return async (sql) => {
    const keys = await sql`select from kms.keys where name = ${name}`;
    return keys.length;
  };
}

type OfKey = (path: string, keyId: string) => ClientRequest;

/** @param before what brings the key to where the change is possible */
async function aimedAtKey(
  kms: KmsOnPostgres,
  request: OfKey,
  before?: OfKey,
): Promise<AimedChange & { readonly path: string }> {
  const key = await kms.call({ method: 'POST', path: KEYS, body: {} });
  expect(key.status).toBe(201);
  const keyId = String(key.body['keyId']);
  const path = `${KEYS}/${keyId}`;
  if (before !== undefined) expect((await kms.call(before(path, keyId))).status).toBe(200);
  const untouched = before === undefined ? 1 : 2;
  const effects = async (sql: Sql): Promise<number> => {
    const [row] = await sql<{ revision: string }[]>`select revision from kms.keys where key_id = ${keyId}`;
    return Number(row?.revision) - untouched;
  };
  return { send: once(kms.call, request(path, keyId)), effects, path };
}

/** A change after which the key does not encrypt any more. */
async function aimedAtLife(kms: KmsOnPostgres, request: OfKey): Promise<AimedChange> {
  const change = await aimedAtKey(kms, request);
  return { ...change, use: await hotUse(change.path, kms.call) };
}

async function hotUse(path: string, call: (request: ClientRequest) => Promise<Answer>): Promise<() => Promise<Answer>> {
  const use = () => call({ method: 'POST', path: `${path}/encrypt`, body: { plaintext: PLAINTEXT } });
  expect((await use()).status).toBe(200);
  return use;
}

/** An ML-KEM-768 ciphertext, then the material under AES-KWP (RFC 5649) with the shared secret. */
function wrapMaterial(material: Uint8Array, publicKeyPem: string): Buffer {
  const { sharedKey, ciphertext } = encapsulate(createPublicKey(publicKeyPem));
  const cipher = createCipheriv('id-aes256-wrap-pad', sharedKey, Buffer.from('a65959a6', 'hex'));
  return Buffer.concat([ciphertext, cipher.update(material), cipher.final()]);
}

function once(call: (request: ClientRequest) => Promise<Answer>, request: ClientRequest): () => Promise<Answer> {
  const headers = { ...request.headers, 'idempotency-key': randomUUID() };
  return () => call({ ...request, headers });
}

/**
 * Expects what a change puts out of use to be in use for as long as the change has not taken effect, and not a moment
 * longer.
 */
export async function expectUseToFollow(change: AimedChange, effects: number): Promise<void> {
  if (change.use === undefined) return;
  const answer = await change.use();
  expect([200, 404, 409]).toContain(answer.status);
  expect(answer.status === 200).toBe(effects === 0);
}
