import { randomUUID } from 'node:crypto';
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

const PLAINTEXT = Buffer.from('data').toString('base64');

type Aim = (kms: KmsOnPostgres) => Promise<AimedChange>;

/** The mutating calls that a fault must neither lose nor repeat. */
export const CHANGES: Readonly<Record<string, Aim>> = {
  'create a key': (kms) => {
    const name = randomUUID();
    return aimed(once(kms.call, { method: 'POST', path: '/kms/v1/keys', body: { name } }), async (sql) => {
      const keys = await sql`select from kms.keys where name = ${name}`;
      return keys.length;
    });
  },
  'rotate a key': (kms) => aimedAtKey(kms, (path) => ({ method: 'POST', path: `${path}/rotate` })),
  'revoke a key': (kms) =>
    aimedAtLife(kms, (path) => ({ method: 'POST', path: `${path}/revoke`, body: { reason: 'end_of_life' } })),
  'schedule the destruction of a key': (kms) => aimedAtLife(kms, (path) => ({ method: 'DELETE', path })),
  'shred a key': (kms) =>
    aimedAtLife(kms, (path, keyId) => ({
      method: 'POST',
      path: `${path}/shred`,
      body: { confirmation: `SHRED-${keyId}` },
    })),
  'create a token': (kms) => {
    const name = randomUUID();
    const request = { method: 'POST', path: '/kms/v1/tokens', body: { name, role: 'auditor' } };
    return aimed(once(kms.call, request), async (sql) => {
      const tokens = await sql`select from kms.api_tokens where name = ${name}`;
      return tokens.length;
    });
  },
  'create a tenant': (kms) => {
    const name = randomUUID();
    return aimed(once(kms.platform, { method: 'POST', path: '/kms/v1/tenants', body: { name } }), async (sql) => {
      const tenants = await sql`select from kms.tenants where name = ${name}`;
      return tenants.length;
    });
  },
  'shred a tenant': async (kms) => {
    const tenant = await kms.platform({ method: 'POST', path: '/kms/v1/tenants', body: { name: 'short-lived' } });
    const tenantId = String(tenant.body['tenantId']);
    const headers = { 'x-qnsp-tenant': tenantId };
    const request = {
      method: 'POST',
      path: `/kms/v1/tenants/${tenantId}/crypto-shred`,
      body: { confirmation: `SHRED-${tenantId}`, reason: 'test' },
      headers,
    };
    const key = await kms.platform({ method: 'POST', path: '/kms/v1/keys', body: {}, headers });
    const use = await hotUse(`/kms/v1/keys/${String(key.body['keyId'])}`, (encrypt) =>
      kms.platform({ ...encrypt, headers }),
    );
    const effects = async (sql: Sql): Promise<number> => {
      const shredded = await sql`select from kms.tenants where tenant_id = ${tenantId} and state = 'shredded'`;
      return shredded.length;
    };
    return { send: once(kms.platform, request), effects, use };
  },
};

function aimed(sendIt: () => Promise<Answer>, effects: (sql: Sql) => Promise<number>): Promise<AimedChange> {
  return Promise.resolve({ send: sendIt, effects });
}

async function aimedAtKey(
  kms: KmsOnPostgres,
  request: (path: string, keyId: string) => ClientRequest,
): Promise<AimedChange & { readonly path: string }> {
  const key = await kms.call({ method: 'POST', path: '/kms/v1/keys', body: {} });
  expect(key.status).toBe(201);
  const keyId = String(key.body['keyId']);
  const path = `/kms/v1/keys/${keyId}`;
  const effects = async (sql: Sql): Promise<number> => {
    const [row] = await sql<{ revision: string }[]>`select revision from kms.keys where key_id = ${keyId}`;
    return Number(row?.revision) - 1;
  };
  return { send: once(kms.call, request(path, keyId)), effects, path };
}

/** A change after which the key does not encrypt any more. */
async function aimedAtLife(
  kms: KmsOnPostgres,
  request: (path: string, keyId: string) => ClientRequest,
): Promise<AimedChange> {
  const change = await aimedAtKey(kms, request);
  return { ...change, use: await hotUse(change.path, kms.call) };
}

async function hotUse(path: string, call: (request: ClientRequest) => Promise<Answer>): Promise<() => Promise<Answer>> {
  const use = () => call({ method: 'POST', path: `${path}/encrypt`, body: { plaintext: PLAINTEXT } });
  expect((await use()).status).toBe(200);
  return use;
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
