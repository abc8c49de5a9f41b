import { randomBytes } from 'node:crypto';
import {
  type AuditEvent,
  type ChainedEvent,
  checkpointVerifier,
  inclusionProblem,
  type InclusionProof,
  parseExportLine,
  runAuditExport,
  verifyExport,
} from '@qnsp/kms-audit';
import { createDatabase, startService } from '@qnsp/test-harness';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { evidenceEnv, PUBLIC_KEY_PEM, type Receiver, startReceiver } from './evidence-sample.ts';
import { type LocalService, send, startLocalService } from './local-service.ts';

const PLAINTEXT = Buffer.from('the plaintext that nobody sees').toString('base64');
const GATEWAY = 'credential-of-the-gateway-of-this-test';
let receiver: Receiver;
let service: LocalService;

beforeAll(async () => {
  receiver = await startReceiver();
  service = await startLocalService({ ...evidenceEnv(receiver.url), KMS_GATEWAY_CREDENTIAL: GATEWAY });
});
afterAll(async () => {
  await service.end();
  await receiver.close();
});

/** Every event that the receiver has of the tenant. */
function received(): AuditEvent[] {
  return receiver.lines(service.tenantId).flatMap((line) => {
    const parsed = parseExportLine(line);
    return parsed?.kind === 'event' ? [parsed.entry.event] : [];
  });
}

/** The one event that a request left, once the receiver has it. */
function eventOf(requestId: string): Promise<AuditEvent> {
  return vi.waitFor(
    () => {
      const found = received().filter(({ context }) => context.requestId === requestId);
      expect(found).toHaveLength(1);
      return found[0] as AuditEvent;
    },
    { timeout: 10_000 },
  );
}

async function exported(): Promise<{ lines: string[]; latest: InclusionProof['checkpoint'] }> {
  const pages: string[] = [];
  const latest = await runAuditExport(
    {
      latestCheckpoint: async () => {
        const { body } = await service.call('GET', '/kms/v1/audit/checkpoints?limit=1');
        return (body['items'] as InclusionProof['checkpoint'][])[0];
      },
      page: async (after) => {
        const response = await fetch(`${service.service.baseUrl}/kms/v1/audit/export?batches=3&after=${after}`, {
          headers: { authorization: `Bearer ${service.apiToken}` },
        });
        expect(response.status).toBe(200);
        return response.text();
      },
    },
    (text) => void pages.push(text),
  );
  if (latest === undefined) throw new Error('there is no checkpoint yet');
  return { lines: pages.join('').trimEnd().split('\n'), latest };
}

describe('an operation leaves one event', () => {
  test('of who did what to which version, and how it ended', async () => {
    const key = await service.call('POST', '/kms/v1/keys', { name: 'orders' }, { 'x-request-id': 'create-1' });
    const keyId = String(key.body['keyId']);
    expect(await eventOf('create-1')).toMatchObject({
      eventType: 'kms.key.created',
      tenantId: service.tenantId,
      actor: { type: 'service' },
      resource: { type: 'key', id: keyId, version: 1 },
      action: 'createKey',
      result: 'success',
      context: { source: 'api', ip: expect.stringContaining('127.0.0.1') },
      changes: { before: null, after: { state: 'active', name: 'orders' } },
    });
    const encrypted = await service.call(
      'POST',
      `/kms/v1/keys/${keyId}/encrypt`,
      { plaintext: PLAINTEXT, context: { order: 'secret-42' } },
      { 'x-request-id': 'encrypt-1', 'user-agent': 'orders/1.0' },
    );
    expect(await eventOf('encrypt-1')).toMatchObject({
      eventType: 'kms.encrypt',
      resource: { type: 'key', id: keyId, version: 1 },
      result: 'success',
      context: { userAgent: 'orders/1.0' },
      request: { contextKeys: ['order'] },
    });
    await service.call('POST', `/kms/v1/keys/${keyId}/rotate`, {}, { 'x-request-id': 'rotate-1' });
    expect(await eventOf('rotate-1')).toMatchObject({
      eventType: 'kms.key.rotated',
      resource: { id: keyId, version: 2 },
      changes: {
        before: { currentVersion: 1, versionStates: ['1:active'] },
        after: { currentVersion: 2, versionStates: ['1:decrypt-only', '2:active'] },
      },
    });
    await service.call(
      'POST',
      '/kms/v1/decrypt',
      { ciphertext: encrypted.body['ciphertext'], context: { order: 'secret-42' } },
      { 'x-request-id': 'decrypt-1' },
    );
    expect(await eventOf('decrypt-1')).toMatchObject({ eventType: 'kms.decrypt', resource: { id: keyId, version: 1 } });
  });

  test('also when it is denied, not possible, not found or not understood', async () => {
    const key = await service.call('POST', '/kms/v1/keys', {});
    const path = `/kms/v1/keys/${String(key.body['keyId'])}`;
    const made = await service.call('POST', '/kms/v1/tokens', { name: 'reader', role: 'auditor' });
    const asReader = (requestId: string, headers = {}) =>
      send(
        `${service.service.baseUrl}${path}/encrypt`,
        'POST',
        String(made.body['token']),
        { plaintext: PLAINTEXT },
        { 'x-request-id': requestId, ...headers },
      );
    expect((await asReader('denied-1')).status).toBe(403);
    expect(await eventOf('denied-1')).toMatchObject({
      eventType: 'kms.access.denied',
      actor: { id: made.body['tokenId'] },
      action: 'encrypt',
      resource: { type: 'key', id: key.body['keyId'] },
      result: 'denied',
      errorCode: 'FORBIDDEN',
    });
    const other = '0198d2a4-7b1c-7000-8000-0000000000ff';
    expect((await asReader('denied-2', { 'x-qnsp-tenant': other })).status).toBe(403);
    expect(await eventOf('denied-2')).toMatchObject({
      tenantId: service.tenantId,
      eventType: 'kms.access.denied',
      errorCode: 'TENANT_MISMATCH',
    });
    await service.call('POST', `${path}/suspend`, {});
    await service.call('POST', `${path}/encrypt`, { plaintext: PLAINTEXT }, { 'x-request-id': 'failed-1' });
    expect(await eventOf('failed-1')).toMatchObject({
      eventType: 'kms.encrypt',
      result: 'failure',
      errorCode: 'KEY_STATE_INVALID',
    });
    await service.call(
      'POST',
      `/kms/v1/keys/${other}/encrypt`,
      { plaintext: PLAINTEXT },
      { 'x-request-id': 'failed-2' },
    );
    expect(await eventOf('failed-2')).toMatchObject({ errorCode: 'NOT_FOUND', resource: { id: other } });
    await service.call('POST', `${path}/encrypt`, { plaintext: '§no base64§' }, { 'x-request-id': 'failed-3' });
    expect(await eventOf('failed-3')).toMatchObject({ result: 'failure', errorCode: 'BAD_REQUEST' });
    await service.call('POST', `${path}/encrypt`, '{"plaintext": half', { 'x-request-id': 'failed-4' });
    expect(await eventOf('failed-4')).toMatchObject({ result: 'failure', errorCode: 'BAD_REQUEST' });
  });

  test('and each item of a batch leaves its own', async () => {
    const key = await service.call('POST', '/kms/v1/keys', {});
    const items = [{ plaintext: PLAINTEXT }, { plaintext: '§' }, { plaintext: PLAINTEXT }];
    await service.call(
      'POST',
      `/kms/v1/keys/${String(key.body['keyId'])}/encrypt`,
      { items },
      { 'x-request-id': 'batch-1' },
    );
    await vi.waitFor(
      () => {
        const left = received().filter(({ context }) => context.requestId === 'batch-1');
        expect(left.map(({ result }) => result).sort()).toEqual(['failure', 'success', 'success']);
      },
      { timeout: 20_000 },
    );
  });

  test('of the address that the gateway has the call from, and of nobody else who says so', async () => {
    const from = { 'x-forwarded-for': '198.51.100.1, 203.0.113.7' };
    const call = (requestId: string, headers: Record<string, string>) =>
      service.call('GET', '/kms/v1/keys', undefined, { 'x-request-id': requestId, ...from, ...headers });
    await call('gateway-1', { 'x-qnsp-gateway-credential': GATEWAY });
    expect((await eventOf('gateway-1')).context.ip).toBe('203.0.113.7');
    await call('gateway-2', {});
    expect((await eventOf('gateway-2')).context.ip).toContain('127.0.0.1');
    expect((await call('gateway-3', { 'x-qnsp-gateway-credential': 'guessed' })).status).toBe(401);
    expect(await eventOf('gateway-3')).toMatchObject({ result: 'failure', context: { ip: /127\.0\.0\.1/ } });
  });

  test('of that address, too, when the call is refused before it is settled for which tenant it is', async () => {
    const gateway = { 'x-forwarded-for': '203.0.113.7', 'x-qnsp-gateway-credential': GATEWAY };
    const elsewhere = { name: 'elsewhere', role: 'key_user', addresses: ['192.0.2.0/24'] };
    const { body } = await service.call('POST', '/kms/v1/tokens', elsewhere);
    const large = { plaintext: Buffer.alloc(1024 * 1024).toString('base64') };
    const refused: Readonly<Record<string, readonly [string, unknown, Record<string, string>]>> = {
      'of another address': ['FORBIDDEN', {}, { authorization: `Bearer ${String(body['token'])}` }],
      'of another tenant': ['TENANT_MISMATCH', {}, { 'x-qnsp-tenant': '01900000-0000-7000-8000-000000000000' }],
      'no json': ['BAD_REQUEST', '{"plaintext": half', {}],
      'too large': ['PAYLOAD_TOO_LARGE', large, {}],
    };
    for (const [name, [code, sent, headers]] of Object.entries(refused)) {
      const requestId = `refused-${name.replaceAll(' ', '-')}`;
      await service.call('POST', '/kms/v1/encrypt', sent, { ...gateway, ...headers, 'x-request-id': requestId });
      expect(await eventOf(requestId), name).toMatchObject({ errorCode: code, context: { ip: '203.0.113.7' } });
    }
  });

  test('and one that moves a ciphertext to another key one for each of the keys', async () => {
    const [from, to] = [await service.call('POST', '/kms/v1/keys', {}), await service.call('POST', '/kms/v1/keys', {})];
    const path = `/kms/v1/keys/${String(from.body['keyId'])}`;
    const { body } = await service.call('POST', `${path}/encrypt`, { plaintext: PLAINTEXT });
    const move = { ciphertext: body['ciphertext'], destinationKeyId: to.body['keyId'] };
    await service.call('POST', `${path}/reencrypt`, move, { 'x-request-id': 'move-1' });
    await vi.waitFor(
      () => {
        const left = received().filter(({ context }) => context.requestId === 'move-1');
        expect(left).toMatchObject([
          { eventType: 'kms.decrypt', action: 'reencrypt', resource: { id: from.body['keyId'], version: 1 } },
          { eventType: 'kms.reencrypt', action: 'reencrypt', resource: { id: to.body['keyId'], version: 1 } },
        ]);
      },
      { timeout: 20_000 },
    );
  });

  test('and a replay by its idempotency key too, while the change is recorded once', async () => {
    for (const requestId of ['once-1', 'once-2']) {
      const headers = { 'idempotency-key': 'evidence-once', 'x-request-id': requestId };
      await service.call('POST', '/kms/v1/keys', { name: 'once' }, headers);
    }
    expect((await eventOf('once-1')).changes?.after).toMatchObject({ name: 'once' });
    expect(await eventOf('once-2')).toMatchObject({ eventType: 'kms.key.created', result: 'success' });
    expect((await eventOf('once-2')).changes).toBeUndefined();
  });

  test('of every key that a cascade revokes', async () => {
    const top = String((await service.call('POST', '/kms/v1/keys', {})).body['keyId']);
    const below = String((await service.call('POST', '/kms/v1/keys', { parentKeyId: top })).body['keyId']);
    const body = { reason: 'suspected_compromise', cascade: true };
    await service.call('POST', `/kms/v1/keys/${top}/revoke`, body, { 'x-request-id': 'cascade-1' });
    await vi.waitFor(
      () => {
        const left = received().filter(({ context }) => context.requestId === 'cascade-1');
        expect(new Set(left.map(({ resource }) => resource.id))).toEqual(new Set([top, below]));
        expect(left.every(({ changes }) => changes?.after?.['state'] === 'revoked')).toBe(true);
      },
      { timeout: 20_000 },
    );
  });
});

describe('what an auditor gets', () => {
  test('verifies offline: the export, against a checkpoint and a public key', async () => {
    const { lines, latest } = await exported();
    const report = await verifyExport(lines, { publicKeysPem: [PUBLIC_KEY_PEM], latestCheckpoint: latest });
    expect(report).toMatchObject({ verified: true, gaps: 0, events: latest.lastSequence, endProven: true });
  });

  test('verifies as the receiver stored it', async () => {
    const lines = receiver.lines(service.tenantId);
    const report = await verifyExport(lines, { publicKeysPem: [PUBLIC_KEY_PEM] });
    expect(report).toMatchObject({ verified: true, gaps: 0 });
    expect(report.events).toBeGreaterThan(10);
  });

  test('verifies whatever callers wrote: what one of them sends does not spoil the evidence of their tenant', async () => {
    // Unassigned, private and forbidden characters, and everything that some reader takes for the end of a line.
    const texts = [
      '\u2028',
      '\u2029',
      '\u0085',
      '\u000b',
      '\u000c',
      '\u001c',
      '\u0000',
      '\r',
      '\n',
      '\r\n',
      '\ufeff',
      '\uffff',
    ];
    texts.push('\u{10ffff}', '\ue000', '\u202e', '\u0301', '\\u2028', '\ud800', '\udc00x');
    const { body } = await service.call('POST', '/kms/v1/keys', { metadata: { 'line\u2028end': 'x\u2029y' } });
    const statuses = new Set<number>();
    for (const text of texts) {
      const context = { [`a${text}b`]: text };
      const path = `/kms/v1/keys/${String(body['keyId'])}`;
      const answers = [
        await service.call(
          'POST',
          `${path}/encrypt`,
          { plaintext: PLAINTEXT, context },
          { 'user-agent': 'caf\u00e9/1' },
        ),
        // Denied and not understood, but named in evidence.
        await service.call('POST', '/kms/v1/keys/0198f2a5-0c1d-7e2f-8a3b-4c5d6e7f8091/encrypt', {
          plaintext: '',
          context,
        }),
        await service.call('PATCH', path, { name: `n${text}`, metadata: { [`m${text}`]: text } }),
        await service.call('POST', '/kms/v1/tokens', { name: `t${text}`, role: 'auditor' }),
      ];
      for (const { status } of answers) statuses.add(status);
    }
    expect([...statuses].toSorted()).toEqual([200, 201, 400, 404]);
    const last = await service.call('POST', '/kms/v1/keys', {}, { 'x-request-id': 'after-any-text' });
    expect(last.status).toBe(201);
    await eventOf('after-any-text');
    const { lines, latest } = await exported();
    const report = await verifyExport(lines, { publicKeysPem: [PUBLIC_KEY_PEM], latestCheckpoint: latest });
    expect(report).toMatchObject({ verified: true, gaps: 0, endProven: true });
    expect(lines.join('\n')).toContain('a\u2028b');
    expect(lines.join('\n')).toContain('line\u2028end');
  });

  test('holds no plaintext, ciphertext, credential, value of a context or malformed input', () => {
    const text = receiver.lines(service.tenantId).join('\n');
    for (const secret of [PLAINTEXT, 'secret-42', service.apiToken, 'qnsp_pqc_', '§', 'half', 'ciphertext'])
      expect(text).not.toContain(secret);
  });

  test('is a proof of one event without the others', async () => {
    const event = await eventOf('encrypt-1');
    const { body } = await service.call('GET', `/kms/v1/audit/events/${event.eventId}/proof`);
    expect(inclusionProblem(body as unknown as InclusionProof, checkpointVerifier(PUBLIC_KEY_PEM))).toBeUndefined();
  });

  test('is found by key, type, actor, result and time, page by page', async () => {
    const { resource, actor, timestamp } = await eventOf('encrypt-1');
    const list = async (query: string) =>
      (await service.call('GET', `/kms/v1/audit/events?${query}`)).body as unknown as {
        items: ChainedEvent[];
        nextCursor: string | null;
      };
    const types = async (query: string) => (await list(query)).items.map(({ event }) => event.eventType);
    expect(await types(`keyId=${resource.id}`)).toEqual([
      'kms.decrypt',
      'kms.key.rotated',
      'kms.encrypt',
      'kms.key.created',
    ]);
    expect(new Set(await types('result=denied'))).toEqual(new Set(['kms.access.denied']));
    expect(await types(`eventType=kms.encrypt&keyId=${resource.id}`)).toEqual(['kms.encrypt']);
    expect(await types(`actor=${actor.id}&eventType=kms.key.rotated`)).toEqual(['kms.key.rotated']);
    expect(await types(`to=${timestamp}&keyId=${resource.id}`)).toEqual(['kms.key.created']);
    expect(await types(`from=${timestamp}&keyId=${resource.id}`)).toHaveLength(3);
    const seen: number[] = [];
    let query = `keyId=${resource.id}&limit=3`;
    for (let page = await list(query); ; page = await list(query)) {
      seen.push(...page.items.map(({ sequence }) => sequence));
      if (page.nextCursor === null) break;
      query = `keyId=${resource.id}&limit=3&cursor=${page.nextCursor}`;
    }
    expect(seen).toHaveLength(4);
    expect(seen).toEqual([...seen].sort((a, b) => b - a));
  });

  test('is for who may read evidence, of the own tenant', async () => {
    const made = await service.call('POST', '/kms/v1/tokens', { name: 'user', role: 'key_user' });
    for (const path of ['events', 'checkpoints', 'export'])
      expect(
        (await send(`${service.service.baseUrl}/kms/v1/audit/${path}`, 'GET', String(made.body['token']))).status,
      ).toBe(403);
  });

  test('comes in CEF as well', async () => {
    const response = await fetch(`${service.service.baseUrl}/kms/v1/audit/export?format=cef`, {
      headers: { authorization: `Bearer ${service.apiToken}` },
    });
    const lines = (await response.text()).trimEnd().split('\n');
    expect(lines.length).toBeGreaterThan(10);
    expect(lines.every((line) => line.startsWith('CEF:0|QNSP|KMS|'))).toBe(true);
  });
});

describe('while the audit service is away', () => {
  test('operations go on, and everything is delivered once it is back, also after a kill', async () => {
    const { port } = new URL(receiver.url);
    await new Promise((resolve) => {
      receiver.server.closeAllConnections();
      receiver.server.close(resolve);
    });
    const key = await service.call('POST', '/kms/v1/keys', {}, { 'x-request-id': 'away-1' });
    expect(key.status).toBe(201);
    await service.restart('kill9');
    expect((await service.call('GET', '/kms/v1/keys', undefined, { 'x-request-id': 'away-2' })).status).toBe(200);
    expect(received().some(({ context }) => context.requestId === 'away-1')).toBe(false);
    await new Promise<void>((resolve) => {
      receiver.server.listen(Number(port), '127.0.0.1', resolve);
    });
    await eventOf('away-1');
    await eventOf('away-2');
    expect(await verifyExport(receiver.lines(service.tenantId), { publicKeysPem: [PUBLIC_KEY_PEM] })).toMatchObject({
      verified: true,
    });
  });
});

describe('when the store takes no evidence', () => {
  test('nothing is answered and nothing is changed, and both work again once it does', async () => {
    const database = await createDatabase();
    const token = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
    const node = await startService({
      env: {
        DATABASE_URL: database.url,
        KMS_ROOT_KEY: randomBytes(32).toString('base64'),
        KMS_PLATFORM_TOKEN: token,
        ...evidenceEnv(receiver.url),
      },
    });
    const tenant = await send(`${node.baseUrl}/kms/v1/tenants`, 'POST', token, { name: 'strict' });
    const call = (method: string, path: string, body?: object) =>
      send(`${node.baseUrl}/kms/v1/${path}`, method, token, body, { 'x-qnsp-tenant': String(tenant.body['tenantId']) });
    const key = `keys/${String((await call('POST', 'keys', {})).body['keyId'])}`;
    const sql = postgres(database.url, { max: 1 });
    await sql`revoke insert on kms.evidence_outbox from kms_app`;
    const refused = { status: 503, body: { code: 'AUDIT_UNAVAILABLE' } };
    const answer = await call('POST', `${key}/encrypt`, { plaintext: PLAINTEXT });
    expect(answer).toMatchObject(refused);
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(answer.body).not.toHaveProperty('ciphertext');
    expect(await call('POST', `${key}/rotate`, {})).toMatchObject(refused);
    expect(await call('POST', `${key}/shred`, { confirmation: `SHRED-${key.slice(5)}` })).toMatchObject(refused);
    const batch = await call('POST', `${key}/encrypt`, { items: [{ plaintext: PLAINTEXT }] });
    expect(batch.body['items']).toMatchObject([{ error: { code: 'AUDIT_UNAVAILABLE' } }]);
    await sql`grant insert on kms.evidence_outbox to kms_app`;
    expect(await call('GET', key)).toMatchObject({ status: 200, body: { state: 'active', currentVersion: 1 } });
    expect((await call('POST', `${key}/encrypt`, { plaintext: PLAINTEXT })).status).toBe(200);
    await sql.end();
    await node.stop();
    await database.drop();
  });
});
