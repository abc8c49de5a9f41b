import { ALL_ROUTES } from '@qnsp/kms-contract';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, type LocalService, send, startLocalService } from './local-service.ts';

const DATA = Buffer.from('data').toString('base64');
const CREATE = { name: 'a hidden name', metadata: { hidden: 'hidden metadata' }, usageLimits: { maxOperations: 7654 } };
/** What a caller who may not read a key must not learn, by what it stands in. */
const MARKS = [
  'a hidden name',
  'hidden metadata',
  '7654',
  'statements',
  'revision',
  'createdAt',
  'versions',
  'updatedAt',
];
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
/** Bodies with which the calls get as far as they can. */
const BODIES: Readonly<Record<string, object>> = {
  updateKey: { name: 'another name' },
  revokeKey: { reason: 'end_of_life' },
  retireVersions: { olderThanDays: 1 },
  encrypt: { plaintext: DATA },
  decrypt: { ciphertext: DATA },
  reencrypt: { ciphertext: DATA },
  sign: { data: DATA },
  verify: { data: DATA, signature: DATA },
  wrap: { dataKey: DATA },
  unwrap: { wrappedKey: DATA },
  mac: { data: DATA },
  verifyMac: { data: DATA, mac: DATA },
  decapsulate: { ciphertext: Buffer.alloc(1088).toString('base64') },
  derive: { peerPublicKey: DATA },
};
const DENY_READ = (tokenId: string) => ({
  version: '1',
  statements: [{ effect: 'deny', actions: ['kms:keys:read'], resources: ['*'], principals: [tokenId] }],
});
const OF_KEYS = ALL_ROUTES.filter(({ path }) => path.includes('{keyId}'));

let local: LocalService;
const tokens = { policy: { token: '', tokenId: '' }, permission: { token: '', tokenId: '' } };
beforeAll(async () => {
  local = await startLocalService();
  const make = async (body: object) => {
    const { token, tokenId } = (await local.call('POST', '/kms/v1/tokens', { name: 'does not read', ...body })).body;
    return { token: String(token), tokenId: String(tokenId) };
  };
  tokens.policy = await make({ role: 'tenant_admin' });
  const permissions = ['create', 'use', 'update', 'rotate', 'delete', 'import', 'policy'].map(
    (one) => `kms:keys:${one}`,
  );
  tokens.permission = await make({ permissions });
});
afterAll(() => local.end());

async function hiddenKey(algorithm = 'aes-128-gcm'): Promise<string> {
  const policy = DENY_READ(tokens.policy.tokenId);
  return String((await local.call('POST', '/kms/v1/keys', { ...CREATE, algorithm, policy })).body['keyId']);
}

const texts = (value: unknown): string[] =>
  typeof value === 'string'
    ? [value, Buffer.from(value, 'base64url').toString('latin1')]
    : typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([name, part]) => [name, ...texts(part)])
      : [String(value)];

describe.each(['policy', 'permission'] as const)('a caller who may not read a key by its %s', (by) => {
  const ask = (method: string, path: string, body?: object, headers?: Record<string, string>): Promise<Answer> =>
    send(`${local.service.baseUrl}${path}`, method, tokens[by].token, body, headers);

  test.each(OF_KEYS)('learns nothing of it from $operationId', async ({ operationId, method, path, mutating }) => {
    const keyId = await hiddenKey(ALGORITHMS[operationId]);
    const at = path.replace('{keyId}', keyId);
    if (operationId === 'resumeKey') await local.call('POST', `/kms/v1/keys/${keyId}/suspend`);
    if (operationId === 'restoreKey') await local.call('DELETE', `/kms/v1/keys/${keyId}`);
    const body =
      operationId === 'putKeyPolicy'
        ? DENY_READ(tokens.policy.tokenId)
        : operationId === 'shredKey'
          ? { confirmation: `SHRED-${keyId}` }
          : BODIES[operationId];
    if (mutating) {
      const headers = { 'if-match': '"77"' };
      const conflict = await ask(method, at, body, headers);
      expect(conflict).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
      expect(texts(conflict.body).filter((text) => MARKS.includes(text))).toEqual([]);
      expect(conflict.body['details']).toBeUndefined();
    }
    const answer = await ask(method, at, method === 'GET' ? undefined : (body ?? {}));
    // Whoever takes the policy away may read the key from then on.
    if (operationId === 'deleteKeyPolicy' && by === 'policy') {
      expect(answer).toMatchObject({ status: 200, body: { keyId, name: CREATE.name } });
      return;
    }
    if (mutating) {
      expect(answer).toMatchObject({ status: 200, body: { keyId, tenantId: local.tenantId, changed: true } });
      expect(Object.keys(answer.body).sort()).toEqual(['changed', 'keyId', 'tenantId']);
      expect(answer.headers.get('etag')).toBeNull();
    } else if (method === 'GET') expect(answer).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
    expect(texts(answer.body).filter((text) => MARKS.some((mark) => text.includes(mark)))).toEqual([]);
  });

  test('learns nothing from a repeated change, nor from an import of a version', async () => {
    const keyId = await hiddenKey();
    const headers = { 'idempotency-key': `rotate ${by}` };
    for (let repeated = 0; repeated < 2; repeated += 1)
      expect((await ask('POST', `/kms/v1/keys/${keyId}/rotate`, {}, headers)).body).toEqual({
        keyId,
        tenantId: local.tenantId,
        changed: true,
      });
  });
});

describe('a list that hides keys', () => {
  const list = (query: string, token = tokens.policy.token) =>
    send(`${local.service.baseUrl}/kms/v1/keys?${query}`, 'GET', token);

  test('names none of them, neither in its items nor in its cursors, and goes on behind them', async () => {
    const hidden = await hiddenKey();
    const shown = String((await local.call('POST', '/kms/v1/keys', { name: 'shown' })).body['keyId']);
    await hiddenKey();
    const seen: string[] = [];
    const cursors: string[] = [];
    for (let cursor: string | undefined = ''; cursor !== undefined; ) {
      const { body } = await list(`limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`);
      seen.push(...(body['items'] as { keyId: string }[]).map(({ keyId }) => keyId));
      cursor = typeof body['nextCursor'] === 'string' ? body['nextCursor'] : undefined;
      if (cursor !== undefined) cursors.push(cursor);
    }
    expect(seen).toContain(shown);
    expect(seen).not.toContain(hidden);
    expect(cursors.length).toBeGreaterThan(2);
    const plain = cursors.map((cursor) => Buffer.from(cursor, 'base64url').toString('latin1'));
    for (const text of plain) expect(text.includes(hidden) || text.includes(shown)).toBe(false);
    expect(new Set(cursors.map(({ length }) => length)).size).toBe(1);
    for (const cursor of cursors) expect(cursor).toMatch(/^[\w-]+$/);
  });

  test('takes no cursor but its own', async () => {
    const cursor = String((await list('limit=1')).body['nextCursor']);
    expect((await list(`limit=5&cursor=${cursor}`)).status).toBe(200);
    const old = Buffer.from(`${Date.now()}.${await hiddenKey()}`).toString('base64url');
    const bytes = Buffer.from(cursor, 'base64url');
    const flipped = [...bytes.keys()].map((at) => {
      const copy = Buffer.from(bytes);
      copy[at] = (copy[at] ?? 0) ^ 1;
      return copy.toString('base64url');
    });
    const wrong = [
      old,
      'x',
      cursor.slice(1),
      `${cursor}A`,
      ...flipped,
      `${cursor}&state=active`,
      `${cursor}&name=shown`,
      `${cursor}&algorithm=aes-256-gcm`,
    ];
    for (const query of wrong)
      expect([query, await list(`cursor=${query}`)]).toMatchObject([
        query,
        { status: 400, body: { code: 'BAD_REQUEST' } },
      ]);
  });
});
