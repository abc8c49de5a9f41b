import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { ALL_ROUTES, type JsonObject, type Route } from '@qnsp/kms-contract';
import { parseExportLine } from '@qnsp/kms-audit';
import { type AuditEvent, SYSTEM_TENANT } from '@qnsp/kms-core';
import { newId } from '@qnsp/kms-core/ports';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { evidenceEnv, type Receiver, startReceiver } from './evidence-sample.ts';
import { type Answer, type LocalService, send, startLocalService } from './local-service.ts';

const PLATFORM = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
const ROUTES = ALL_ROUTES.filter(({ auth }) => auth === 'bearer');
const ALGORITHMS: Readonly<Record<string, string>> = {
  getPublicKey: 'ed25519',
  sign: 'ed25519',
  verify: 'ed25519',
  mac: 'hmac-sha256',
  verifyMac: 'hmac-sha256',
  encapsulate: 'kyber-768',
  decapsulate: 'kyber-768',
  derive: 'x25519',
};

let receiver: Receiver;
let service: LocalService;
/** Tokens that may do one thing, so that there is one for each operation that may not do it. */
let powerless: { readonly reader: string; readonly creator: string };
const tenants = new Set<string>([SYSTEM_TENANT]);
/** One key of each algorithm, and bodies that it takes for each operation. */
const keys = new Map<string, string>();
/** Everything in requests and answers that may never be in evidence. */
const secrets = new Set<string>(['value-of-a-context', 'value-of-metadata']);

beforeAll(async () => {
  receiver = await startReceiver();
  service = await startLocalService({ ...evidenceEnv(receiver.url), KMS_PLATFORM_TOKEN: PLATFORM });
  tenants.add(service.tenantId);
  const token = async (permission: string) =>
    String((await ask('POST', '/kms/v1/tokens', { name: permission, permissions: [permission] })).body['token']);
  powerless = { reader: await token('kms:audit:read'), creator: await token('kms:keys:create') };
  secrets.add(PLATFORM).add(service.apiToken);
});
afterAll(async () => {
  await service.end();
  await receiver.close();
});

/** Sends a request and takes down what of it and of its answer is nobody's business. */
async function ask(
  method: string,
  path: string,
  body?: JsonObject,
  token = service.apiToken,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const url = `${service.service.baseUrl}${path}`;
  if (path.includes('/audit/export')) {
    const { status, headers: answered } = await fetch(url, {
      headers: { ...headers, authorization: `Bearer ${token}` },
    });
    return { status, headers: answered, body: {} };
  }
  const answer = await send(url, method, token, body, headers);
  // Evidence that is read is evidence; and that of identities says who is let in, and who is not.
  if (!path.includes('/audit/') && !path.includes('/identity-'))
    for (const value of [body, answer.body]) takeDown(value);
  return answer;
}

/** Ids, times, and names with hyphens. */
const KNOWN = /^([0-9a-f-]{36}|\d{4}-\d\d-\d\dT[\d:.]+Z|[a-z]+([-_][a-zA-Z]+)*)$/;

function takeDown(value: unknown): void {
  if (typeof value === 'string') {
    // Shorter ones are names of algorithms, states and the like.
    if (value.length >= 20 && !KNOWN.test(value)) secrets.add(value);
  } else if (typeof value === 'object' && value !== null) {
    // A request that waits for approvals is named by its SHA-256 in both.
    for (const [name, part] of Object.entries(value)) if (name !== 'requestHash') takeDown(part);
  }
}

/** What the receiver has of all tenants. */
function received(): AuditEvent[] {
  return [...tenants].flatMap((tenantId) =>
    receiver.lines(tenantId).flatMap((line) => {
      const parsed = parseExportLine(line);
      return parsed?.kind === 'event' ? [parsed.entry.event] : [];
    }),
  );
}

async function keyOf(algorithm: string): Promise<string> {
  const known = keys.get(algorithm);
  if (known !== undefined) return known;
  const { body } = await ask('POST', '/kms/v1/keys', { algorithm });
  keys.set(algorithm, String(body['keyId']));
  return keyOf(algorithm);
}

/** A body that the operation takes; what other operations made before is in it. */
async function bodyOf({ operationId, example, crypto }: Route, keyId: string): Promise<JsonObject | undefined> {
  const data = randomBytes(32).toString('base64');
  const context = { order: 'value-of-a-context' };
  const made = async (action: string, body: JsonObject, field: string) => {
    const answer = await ask('POST', `/kms/v1/keys/${keyId}/${action}`, body);
    return String(answer.body[field]);
  };
  switch (operationId) {
    case 'createKey':
      return { ...example.body, metadata: { owner: 'value-of-metadata' } };
    case 'shredKey':
      return { confirmation: `SHRED-${keyId}` };
    case 'encrypt':
      return { plaintext: data, context };
    case 'decrypt':
    case 'reencrypt':
      return { ciphertext: await made('encrypt', { plaintext: data, context }, 'ciphertext'), context };
    case 'sign':
    case 'mac':
      return { data };
    case 'verify':
      return { data, signature: await made('sign', { data }, 'signature') };
    case 'verifyMac':
      return { data, mac: await made('mac', { data }, 'mac') };
    case 'decapsulate':
      return { ciphertext: await made('encapsulate', {}, 'ciphertext') };
    case 'derive': {
      const peer = generateKeyPairSync('x25519').publicKey.export({ format: 'der', type: 'spki' });
      return { peerPublicKey: peer.toString('base64'), length: 32 };
    }
    default:
      return crypto === undefined ? example.body : withoutKeys(example.body);
  }
}

function withoutKeys(body: JsonObject = {}): JsonObject {
  return Object.fromEntries(Object.entries(body).filter(([name]) => !name.endsWith('eyId')));
}

async function pathOf({ path, example }: Route, keyId: string): Promise<string> {
  const { tokenId = '' } = path.includes('{tokenId}')
    ? (await ask('POST', '/kms/v1/tokens', { name: 'spare', role: 'auditor' })).body
    : {};
  const { bindingId = '' } = path.includes('{bindingId}')
    ? (await ask('POST', '/kms/v1/identity-bindings', { issuer: 'i', match: { sub: 'spare' }, role: 'auditor' })).body
    : {};
  const { denialId = '' } = path.includes('{denialId}')
    ? (await ask('POST', '/kms/v1/identity-bindings/deny', { issuer: 'i', sub: 'spare' })).body
    : {};
  const approvalId = path.includes('{approvalId}') ? await askForApprovals() : '';
  const migrationId = path.includes('{migrationId}') ? await startMigration() : '';
  let tenantId = '';
  if (path.includes('{tenantId}')) {
    tenantId = String((await ask('POST', '/kms/v1/tenants', { name: 'spare' }, PLATFORM)).body['tenantId']);
    tenants.add(tenantId);
  }
  const query = new URLSearchParams(Object.entries(example.query ?? {}).map(([name, value]) => [name, String(value)]));
  return `${path
    .replace('{keyId}', keyId)
    .replace('{tokenId}', String(tokenId))
    .replace('{bindingId}', String(bindingId))
    .replace('{denialId}', String(denialId))
    .replace('{approvalId}', approvalId)
    .replace('{migrationId}', migrationId)
    .replace('{tenantId}', tenantId)
    .replace('{eventId}', newId())}${query.size === 0 ? '' : `?${query.toString()}`}`;
}

/** The id of a migration that was just started, in place of one that may run. */
async function startMigration(): Promise<string> {
  const { items } = (await ask('GET', '/kms/v1/migrations')).body;
  for (const { migrationId, state } of items as readonly { readonly migrationId: string; readonly state: string }[])
    if (state === 'running') await ask('POST', `/kms/v1/migrations/${migrationId}/cancel`, {});
  const ofNone = { selector: { name: 'spare' }, target: 'quantum-safe' };
  const { migration } = (await ask('POST', '/kms/v1/migrations', ofNone)).body;
  return (migration as { readonly migrationId: string }).migrationId;
}

/** The id of a request that waits for approvals. */
async function askForApprovals(): Promise<string> {
  const { keyId } = (await ask('POST', '/kms/v1/keys', { requireApproval: 1 })).body;
  const { details } = (await ask('DELETE', `/kms/v1/keys/${String(keyId)}`, {})).body;
  return (details as { readonly approvalId: string }).approvalId;
}

/** What differs from the example of an operation: nobody approves their own request. */
function changedBody(operationId: string, path: string): JsonObject {
  if (operationId === 'shredTenant') return { confirmation: `SHRED-${path.split('/')[4]}` };
  return operationId === 'decideApproval' ? { decision: 'refuse' } : {};
}

/** Calls each operation and answers what came of it, by the id of the request. */
async function callAll(prefix: string, tokenOf: (route: Route) => string | undefined) {
  const calls = new Map<string, { readonly route: Route; readonly answer: Answer }>();
  for (const route of ROUTES) {
    const token = tokenOf(route);
    if (token === undefined) continue;
    const algorithm = ALGORITHMS[route.operationId] ?? 'aes-256-gcm';
    // A change gets a key of its own.
    if (route.mutating) keys.delete(algorithm);
    const keyId = await keyOf(algorithm);
    const [path, body] = [await pathOf(route, keyId), await bodyOf(route, keyId)];
    const requestId = `${prefix}-${route.operationId}`;
    const answer = await ask(
      route.method,
      path,
      route.method === 'GET' ? undefined : { ...body, ...changedBody(route.operationId, path) },
      token,
      {
        'x-request-id': requestId,
      },
    );
    calls.set(requestId, { route, answer });
  }
  return calls;
}

async function expectOneEventEach(calls: Awaited<ReturnType<typeof callAll>>): Promise<void> {
  const eventsOf = (requestId: string) => received().filter(({ context }) => context.requestId === requestId);
  await vi.waitFor(() => expect([...calls.keys()].filter((id) => eventsOf(id).length === 0)).toEqual([]), {
    timeout: 20_000,
    interval: 200,
  });
  for (const [requestId, { route, answer }] of calls) {
    const result = answer.status < 300 ? 'success' : answer.status === 403 ? 'denied' : 'failure';
    expect(eventsOf(requestId), requestId).toMatchObject([{ action: route.operationId, result }]);
  }
}

describe('every operation leaves one event', () => {
  test('when it is allowed', { timeout: 600_000 }, async () => {
    // What names a tenant names one that was made for it.
    const calls = await callAll('allowed', ({ scope, path }) =>
      scope === 'platform' || path.includes('{tenantId}') ? PLATFORM : service.apiToken,
    );
    expect(calls.size).toBe(ROUTES.length);
    await expectOneEventEach(calls);
    const failed = [...calls]
      .filter(([, { answer }]) => answer.status >= 300)
      .map(([, { route }]) => route.operationId);
    // What needs more than one call to get there fails, and leaves its event all the same.
    expect(failed.sort()).toEqual(['getAuditProof', 'importKey', 'unwrap']);
  });

  test('when it is denied', { timeout: 600_000 }, async () => {
    const calls = await callAll('denied', ({ permission }) => {
      if (permission === undefined) return undefined;
      return permission === 'kms:audit:read' ? powerless.creator : powerless.reader;
    });
    expect([...calls].filter(([, { answer }]) => answer.status !== 403).map(([id]) => id)).toEqual([]);
    await expectOneEventEach(calls);
  });

  test('and a shredded tenant leaves its end in its own chain, which can still be read', async () => {
    const shredded = received().find(({ context }) => context.requestId === 'allowed-shredTenant');
    expect(shredded).toMatchObject({ eventType: 'kms.tenant.shredded', result: 'success' });
    const tenantId = String(shredded?.tenantId);
    expect(shredded?.resource).toMatchObject({ type: 'tenant', id: tenantId });
    const { body } = await ask('GET', '/kms/v1/audit/events', undefined, PLATFORM, { 'x-qnsp-tenant': tenantId });
    expect(body['items']).toContainEqual(expect.objectContaining({ event: shredded }));
  });

  test('and nothing of what went in or came out, but names and ids', () => {
    const text = [...tenants].flatMap((tenantId) => receiver.lines(tenantId)).join('\n');
    expect(text.length).toBeGreaterThan(10_000);
    expect(secrets.size).toBeGreaterThan(40);
    expect([...secrets].filter((secret) => text.includes(secret))).toEqual([]);
  });
});
