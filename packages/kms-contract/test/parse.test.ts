import { KmsError } from '@qnsp/kms-core';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { EXAMPLE } from '../src/answers/examples.ts';
import { ALL_ROUTES, LIMITS, parseRequest, type RawRequest, ROUTES, type Route } from '../src/index.ts';

const { keyId, otherKeyId } = EXAMPLE;
const params = { keyId };
const SECRET = 'c2VjcmV0IHZhbHVl*';

function failure(route: Route, raw: RawRequest): KmsError {
  try {
    parseRequest(route, raw);
  } catch (error) {
    if (KmsError.is(error)) return error;
    throw error;
  }
  throw new Error('the request was accepted');
}

function issues(route: Route, raw: RawRequest) {
  const error = failure(route, raw);
  expect(error.code).toBe('BAD_REQUEST');
  return error.details?.['issues'];
}

describe('what clients really send', () => {
  it('takes no body at all where every field is optional', () => {
    expect(parseRequest(ROUTES.rotateKey, { params }).body).toEqual({});
    expect(parseRequest(ROUTES.createKey, {}).body).toEqual({});
    expect(parseRequest(ROUTES.destroyKey, { params, body: undefined }).body).toEqual({});
  });

  it('says what is missing from an empty body', () => {
    expect(issues(ROUTES.revokeKey, { params })).toEqual([{ path: 'reason', reason: 'is required' }]);
    expect(issues(ROUTES.encrypt, { params })).toEqual([{ path: 'plaintext', reason: 'is required' }]);
  });

  it.each([[[]], ['text'], [5], [null], [true]])('refuses %j as a body', (body) => {
    expect(issues(ROUTES.createKey, { body })).toEqual([{ path: '', reason: 'must be an object' }]);
  });

  it('takes query values as text, and empty ones as absent', () => {
    expect(
      parseRequest(ROUTES.listKeys, { query: { limit: '100', cursor: '', algorithm: 'ML-KEM-768' } }).query,
    ).toMatchObject({
      limit: 100,
      algorithm: { id: 'kyber-768' },
    });
  });

  it.each([
    [{ limit: 'many' }, 'limit'],
    [{ limit: '1.5' }, 'limit'],
    [{ limit: '0x10' }, 'limit'],
    [{ limit: ['1', '2'] }, 'limit'],
    [{ state: 'sleeping' }, 'state'],
    [{ cursor: 'a b' }, 'cursor'],
  ])('refuses the query %j', (query, path) => {
    expect(issues(ROUTES.listKeys, { query })).toEqual([expect.objectContaining({ path })]);
  });

  const lists = ALL_ROUTES.filter(({ list }) => list);
  const pages = lists.filter(({ query }) => query instanceof z.ZodObject && 'limit' in query.shape);

  it.each(pages.map((route) => [route.operationId, route] as const))(
    '%s brings a limit into its bounds',
    (_id, route) => {
      const limitOf = (limit: string) => parseRequest(route, { query: { limit } }).query;
      for (const limit of ['0', '-1', '-0', `-${'9'.repeat(400)}`]) expect(limitOf(limit)).toEqual({ limit: 1 });
      for (const limit of ['201', '500', '9'.repeat(400)])
        expect(limitOf(limit)).toEqual({ limit: LIMITS.pageItems.maximum });
      expect(limitOf('100')).toEqual({ limit: 100 });
    },
  );

  it.each(lists.map((route) => [route.operationId, route] as const))(
    '%s passes over what it does not know in its query, and says so',
    (_id, route) => {
      const query = { sort: 'name', 'a b': 'x', empty: '', constructor: '1', __proto__: '2' };
      const parsed = parseRequest(route, { query });
      expect(parsed.query).toEqual({});
      expect(parsed.warnings).toEqual([
        'The query has the unknown parameter sort.',
        'The query has the unknown parameter ?.',
        'The query has the unknown parameter constructor.',
      ]);
      expect(parseRequest(route, {})).not.toHaveProperty('warnings');
    },
  );

  it('are all the routes that answer items, but for batches', () => {
    const answering = ALL_ROUTES.filter(
      ({ response, method }) => method === 'GET' && response instanceof z.ZodObject && 'items' in response.shape,
    );
    expect(answering.map(({ operationId }) => operationId)).toEqual(lists.map(({ operationId }) => operationId));
  });

  it.each(
    ALL_ROUTES.filter(({ list, auth }) => !list && auth === 'bearer').map(
      (route) => [route.operationId, route] as const,
    ),
  )('%s refuses what it does not know in its query', (_id, route) => {
    const raw = {
      params: { keyId, tokenId: keyId, bindingId: keyId, eventId: keyId, tenantId: keyId },
      query: { sort: 'name' },
    };
    expect(issues(route, { ...raw, body: route.example.body })).toEqual([
      { path: 'sort', reason: 'is not a known field' },
    ]);
  });

  it.each(ALL_ROUTES.filter(({ auth }) => auth === 'none').map((route) => [route.operationId, route] as const))(
    '%s takes whatever a probe has in its query',
    (_id, route) => {
      expect(parseRequest(route, { query: { verbose: '1', tenantId: 'none', 'a b': ['1', '2'] } }).query).toEqual({});
    },
  );

  it('takes a cursor of null for the first page, as some languages write it', () => {
    for (const route of lists) expect(parseRequest(route, { query: { cursor: 'null' } }).query).toEqual({});
  });

  it('takes an empty algorithm for none', () => {
    expect(parseRequest(ROUTES.createKey, { body: { algorithm: '', purpose: '' } }).body).toEqual({
      algorithm: null,
      purpose: null,
    });
    expect(issues(ROUTES.createKey, { body: { algorithm: ' ' } })).toEqual([
      { path: 'algorithm', reason: expect.stringContaining('must be one of aes-256-gcm') },
    ]);
  });

  it.each(['rotateKey', 'upgradeKey', 'suspendKey', 'resumeKey', 'destroyKey', 'restoreKey', 'shredKey'] as const)(
    '%s takes a reason',
    (id) => {
      const route: Route = ROUTES[id];
      const bodyWith = (reason: unknown) => ({ ...route.example.body, reason });
      const read = (reason: unknown) => parseRequest(route, { params, body: bodyWith(reason) }).body;
      expect(read('MCP rotation')).toMatchObject({ reason: 'MCP rotation' });
      expect(read('  ')).toMatchObject({ reason: '' });
      expect(read(null)).not.toHaveProperty('reason');
      for (const wrong of [5, {}, 'a\nb', 'x'.repeat(LIMITS.reasonCharacters + 1)])
        expect(issues(route, { params, body: bodyWith(wrong) })).toEqual([expect.objectContaining({ path: 'reason' })]);
    },
  );

  it.each([
    '11111111-1111-1111-1111-111111111111',
    '0198f2a5-0c1d-0e2f-8a3b-4c5d6e7f8091',
    '0198f2a5-0c1d-9e2f-8a3b-4c5d6e7f8091',
    '0198f2a5-0c1d-7e2f-7a3b-4c5d6e7f8091',
    '0198f2a5-0c1d-7e2f-ca3b-4c5d6e7f8091',
    '00000000-0000-0000-0000-000000000000',
    'ffffffff-ffff-ffff-ffff-ffffffffffff',
    '0198f2a50c1d7e2f8a3b4c5d6e7f8091',
  ])('refuses a new tenant %s, which published clients would not take', (tenantId) => {
    expect(issues(ROUTES.createTenant, { body: { name: 'a', tenantId } })).toEqual([
      expect.objectContaining({ path: 'tenantId' }),
    ]);
  });

  it('takes a new tenant of any version and the variant of RFC 9562', () => {
    for (const version of '12345678')
      for (const variant of '89abAB') {
        const tenantId = `0198f2a5-0c1d-${version}e2f-${variant}a3b-4c5d6e7f8091`;
        expect(z.uuid().safeParse(tenantId).success).toBe(true);
        expect(parseRequest(ROUTES.createTenant, { body: { name: 'a', tenantId } }).body).toEqual({
          name: 'a',
          tenantId: tenantId.toLowerCase(),
        });
      }
  });

  it('takes a key id in either case and answers lower case', () => {
    expect(parseRequest(ROUTES.getKey, { params: { keyId: keyId.toUpperCase() } }).params).toEqual({ keyId });
  });

  it.each(['nothing', '', '..%2f', `${keyId}x`])('takes the path of %j for one that names nothing', (name) => {
    expect(failure(ROUTES.getKey, { params: { keyId: name } }).code).toBe('NOT_FOUND');
    expect(failure(ROUTES.encrypt, { params: { keyId: name }, body: { plaintext: '' } }).code).toBe('NOT_FOUND');
    expect(failure(ROUTES.revokeToken, { params: { tokenId: name } }).code).toBe('NOT_FOUND');
  });

  it('takes tenantId in query and body everywhere', () => {
    for (const route of Object.values(ROUTES) as Route[]) {
      if (route.auth === 'none' || route.tag === 'Activation') continue;
      expect(route.query.safeParse({ tenantId: EXAMPLE.tenantId }).success, route.operationId).toBe(true);
      const body = { ...route.example.body, tenantId: EXAMPLE.tenantId };
      const asked = {
        keyId,
        tokenId: EXAMPLE.tokenId,
        bindingId: EXAMPLE.bindingId,
        tenantId: EXAMPLE.tenantId,
        eventId: EXAMPLE.tokenId,
      };
      expect(() => parseRequest(route, { params: asked, body }), route.operationId).not.toThrow();
    }
  });

  it('takes label for name, but not both', () => {
    expect(parseRequest(ROUTES.createKey, { body: { label: 'orders' } }).body).toEqual({ name: 'orders' });
    expect(issues(ROUTES.createKey, { body: { label: 'a', name: 'a' } })).toEqual([
      expect.objectContaining({ path: 'name' }),
    ]);
  });

  it('counts null as absent, except where it takes a setting away', () => {
    expect(parseRequest(ROUTES.createKey, { body: { name: null, policy: null, tenantId: null } }).body).toEqual({});
    expect(parseRequest(ROUTES.updateKey, { params, body: { name: null } }).body).toEqual({ name: null });
    expect(parseRequest(ROUTES.updateKey, { params, body: { usageLimits: { maxOperations: null } } }).body).toEqual({
      usageLimits: { maxOperations: null },
    });
  });

  it('ignores what it does not know only in the activation handshake', () => {
    expect(parseRequest(ROUTES.activateSdk, { body: { sdkId: 'a', newField: 1 } }).body).toEqual({ sdkId: 'a' });
  });
});

describe('issues', () => {
  it('name every field that is wrong, wherever it is', () => {
    const found = issues(ROUTES.updateKey, {
      params,
      query: { unknown: 'x' },
      body: {
        name: '',
        rotation: { rotationPeriod: 'never' },
        usageLimits: { maxOperations: 0.5, expires: 1 },
        algorithm: 'rsa',
      },
      headers: { 'if-match': 'latest', 'idempotency-key': 'a\u0085b' },
    }) as { path: string }[];
    expect(found.map(({ path }) => path).toSorted()).toEqual(
      [
        'Idempotency-Key',
        'If-Match',
        'algorithm',
        'name',
        'rotation.rotationPeriod',
        'unknown',
        'usageLimits.expires',
        'usageLimits.maxOperations',
      ].toSorted(),
    );
  });

  it('number places in lists', () => {
    const statements = [{ effect: 'allow', actions: ['kms:encrypt', 'kms:fly'], resources: ['*'] }];
    expect(issues(ROUTES.putKeyPolicy, { params, body: { version: '1', statements } })).toEqual([
      { path: 'statements[0].actions[1]', reason: 'must be a permission, or the beginning of one followed by *' },
    ]);
  });

  it.each<[Route, RawRequest]>([
    [ROUTES.encrypt, { params, body: { plaintext: SECRET } }],
    [ROUTES.encrypt, { params, body: { plaintext: { [SECRET]: SECRET } } }],
    [ROUTES.encrypt, { params, body: { [SECRET]: 'x', plaintext: '' } }],
    [ROUTES.encrypt, { params, body: { plaintext: '', context: { [SECRET]: 5 } } }],
    [ROUTES.encrypt, { params, body: { plaintext: '', keyId: SECRET } }],
    [
      ROUTES.createKey,
      { body: { algorithm: SECRET, purpose: SECRET, name: `${SECRET}\0`, rotation: SECRET, metadata: SECRET } },
    ],
    [
      ROUTES.createKey,
      {
        body: { rotation: { rotationPeriod: SECRET }, usageLimits: { expiresAt: SECRET }, policy: { version: SECRET } },
      },
    ],
    [ROUTES.shredKey, { params, body: { confirmation: [SECRET] } }],
    [ROUTES.revokeKey, { params, body: { reason: SECRET } }],
    [ROUTES.listKeys, { query: { cursor: SECRET, limit: SECRET, state: SECRET } }],
    [ROUTES.getKey, { params: { keyId: SECRET } }],
    [ROUTES.rotateKey, { params, headers: { 'if-match': SECRET, 'idempotency-key': `${SECRET}\u0001` } }],
  ])('never quote what was sent (%#)', (route, raw) => {
    const error = failure(route, raw);
    expect(`${error.message} ${JSON.stringify(error.details)}`).not.toContain(SECRET);
  });

  it('are at most twenty', () => {
    const body = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`field${index}`, 1]));
    expect(issues(ROUTES.createKey, { body })).toHaveLength(20);
  });
});

describe('limits', () => {
  const base64 = (length: number) => Buffer.alloc(length, 1).toString('base64');

  it('answer a plaintext above 64 KiB with PAYLOAD_TOO_LARGE and point to data keys', () => {
    expect(parseRequest(ROUTES.encrypt, { params, body: { plaintext: base64(65_536) } }).body.plaintext).toHaveLength(
      65_536,
    );
    for (const length of [65_537, 65_538, 65_539, 100_000]) {
      const error = failure(ROUTES.encrypt, { params, body: { plaintext: base64(length) } });
      expect(error.code).toBe('PAYLOAD_TOO_LARGE');
      expect(error.message).toContain('/data-key');
    }
  });

  it('bound the other fields', () => {
    expect(failure(ROUTES.sign, { params, body: { data: base64(LIMITS.messageBytes + 1) } }).code).toBe(
      'PAYLOAD_TOO_LARGE',
    );
    expect(issues(ROUTES.sign, { params, body: { data: '', context: base64(256) } })).toEqual([
      { path: 'context', reason: 'must be at most 255 bytes' },
    ]);
    expect(issues(ROUTES.wrap, { params, body: { dataKey: '' } })).toEqual([
      { path: 'dataKey', reason: 'must be at least 1 bytes' },
    ]);
    expect(issues(ROUTES.createDataKey, { params, body: { bytes: 15 } })).toEqual([
      { path: 'bytes', reason: 'must be at least 16' },
    ]);
    expect(issues(ROUTES.createDataKey, { params, body: { bytes: 65 } })).toEqual([
      { path: 'bytes', reason: 'must be at most 64' },
    ]);
    expect(issues(ROUTES.destroyKey, { params, body: { pendingWindow: 0 } })).toEqual([
      { path: 'pendingWindow', reason: 'must be at least 1' },
    ]);
    expect(issues(ROUTES.destroyKey, { params, body: { pendingWindow: 91 } })).toEqual([
      { path: 'pendingWindow', reason: 'must be at most 90' },
    ]);
    expect(issues(ROUTES.destroyKey, { params, body: { pendingWindow: 1.5 } })).toEqual([
      { path: 'pendingWindow', reason: 'must be a whole number' },
    ]);
    expect(issues(ROUTES.getRandom, { query: { bytes: '1025' } })).toEqual([
      { path: 'bytes', reason: 'must be at most 1024' },
    ]);
  });

  it('let a deployment set the lower bound of rotation', () => {
    const body = { rotation: { rotationPeriod: 'PT59M' } };
    expect(issues(ROUTES.createKey, { body })).toEqual([
      { path: 'rotation.rotationPeriod', reason: 'must be at least PT3600S' },
    ]);
    expect(issues(ROUTES.updateKey, { params, body })).toEqual([
      { path: 'rotation.rotationPeriod', reason: 'must be at least PT3600S' },
    ]);
    expect(parseRequest(ROUTES.createKey, { body }, { minimumRotationSeconds: 60 }).body.rotation).toEqual({
      periodSeconds: 59 * 60,
    });
    expect(() =>
      parseRequest(
        ROUTES.createKey,
        { body: { rotation: { rotationPeriod: 'P1D' } } },
        { minimumRotationSeconds: 2 * 86_400 },
      ),
    ).toThrow('P2D');
  });
});

describe('the key of a crypto request', () => {
  it('is the one of the path or of the body', () => {
    const body = { plaintext: 'aGk=' };
    expect(parseRequest(ROUTES.encrypt, { params, body }).body.keyId).toBe(keyId);
    expect(parseRequest(ROUTES.encrypt, { body: { ...body, keyId: keyId.toUpperCase() } }).body.keyId).toBe(keyId);
    expect(
      parseRequest(ROUTES.encrypt, { params: { keyId: keyId.toUpperCase() }, body: { ...body, keyId } }).body.keyId,
    ).toBe(keyId);
  });

  it('must be there, and the same in both places', () => {
    expect(issues(ROUTES.encrypt, { body: { plaintext: 'aGk=' } })).toEqual([{ path: 'keyId', reason: 'is required' }]);
    expect(issues(ROUTES.encrypt, { params, body: { plaintext: 'aGk=', keyId: otherKeyId } })).toEqual([
      { path: 'keyId', reason: 'must be the key of the path' },
    ]);
    expect(issues(ROUTES.encrypt, { body: { plaintext: 'aGk=', keyId: 'orders' } })).toEqual([
      { path: 'keyId', reason: 'must be a UUID' },
    ]);
  });

  it('may be left to the ciphertext', () => {
    expect(parseRequest(ROUTES.decrypt, { body: { ciphertext: 'AAAA' } }).body.keyId).toBeUndefined();
    expect(parseRequest(ROUTES.decrypt, { params, body: { ciphertext: 'AAAA' } }).body.keyId).toBe(keyId);
    expect(parseRequest(ROUTES.reencrypt, { body: { ciphertext: 'AAAA' } }).body).not.toHaveProperty('sourceKeyId');
  });

  it('is the source of a re-encryption in the path and its destination in the body', () => {
    expect(
      parseRequest(ROUTES.reencrypt, { params, body: { ciphertext: 'AAAA', keyId: otherKeyId } }).body,
    ).toMatchObject({
      sourceKeyId: keyId,
      destinationKeyId: otherKeyId,
    });
    expect(
      parseRequest(ROUTES.reencrypt, { body: { ciphertext: 'AAAA', destinationKeyId: otherKeyId } }).body,
    ).toMatchObject({ destinationKeyId: otherKeyId });
    expect(issues(ROUTES.reencrypt, { params, body: { ciphertext: 'AAAA', sourceKeyId: otherKeyId } })).toEqual([
      expect.objectContaining({ path: 'sourceKeyId' }),
    ]);
  });
});

describe('headers', () => {
  it.each([
    ['"3"', 3],
    ['3', 3],
    ['W/"3"', 3],
    ['*', undefined],
    [undefined, undefined],
  ])('If-Match %s is revision %s', (header, revision) => {
    expect(parseRequest(ROUTES.updateKey, { params, headers: { 'if-match': header } }).ifRevision).toBe(revision);
  });

  it.each(['"3", "4"', 'x', '"3', '-1', '3.5', ['3', '4']])('If-Match %j is refused', (header) => {
    expect(issues(ROUTES.updateKey, { params, headers: { 'if-match': header } })).toEqual([
      expect.objectContaining({ path: 'If-Match' }),
    ]);
  });

  it('heeds Idempotency-Key where something changes', () => {
    const headers = { 'idempotency-key': 'order-42' };
    expect(parseRequest(ROUTES.createKey, { headers }).idempotencyKey).toBe('order-42');
    expect(parseRequest(ROUTES.getKey, { params, headers })).not.toHaveProperty('idempotencyKey');
  });

  it.each(['a b', ' !"#~', 'x'.repeat(255), 'ä', 'Bestellung für Zoë', '注文 42 ✓', '{"order": 42}'])(
    'takes the Idempotency-Key %j, as UTF-8 and, where it fits, as ISO 8859-1',
    (key) => {
      const asBytes = Buffer.from(key, 'utf8').toString('latin1');
      for (const header of Buffer.from(key, 'latin1').toString('latin1') === key ? [asBytes, key] : [asBytes])
        expect(parseRequest(ROUTES.createKey, { headers: { 'idempotency-key': header } }).idempotencyKey).toBe(
          key.trim(),
        );
    },
  );

  it.each(['', ' ', 'a\tb', 'a\u007fb', 'a\u0085b', 'x'.repeat(256), 'ä'.repeat(256)])(
    'refuses the Idempotency-Key %j',
    (header) => {
      expect(issues(ROUTES.createKey, { headers: { 'idempotency-key': header } })).toEqual([
        expect.objectContaining({ path: 'Idempotency-Key' }),
      ]);
    },
  );
});

describe('rules between fields', () => {
  it('a token needs a role or a permission', () => {
    expect(issues(ROUTES.createToken, { body: { name: 'a' } })).toEqual([expect.objectContaining({ path: 'role' })]);
    expect(
      parseRequest(ROUTES.createToken, { body: { name: 'a', permissions: ['kms:encrypt'] } }).body.permissions,
    ).toEqual(['kms:encrypt']);
  });

  it('the import of a version sets nothing else', () => {
    const body = {
      algorithm: 'aes-256-gcm',
      wrappingAlgorithm: 'ML_KEM_768_AES_KWP',
      importToken: 'AAAA',
      wrappedMaterial: 'AAAA',
      keyId,
    };
    expect(parseRequest(ROUTES.importKey, { body }).body.keyId).toBe(keyId);
    expect(issues(ROUTES.importKey, { body: { ...body, name: 'orders' } })).toEqual([
      expect.objectContaining({ path: 'name' }),
    ]);
  });
});
