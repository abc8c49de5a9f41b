import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OPERATIONS } from './document/document-operations.ts';
import { type LocalService, send, startLocalService } from './local-service.ts';

let local: LocalService;
beforeAll(async () => {
  // With one interface, so that what is no request has its shape, too.
  local = await startLocalService({ KMS_AWS_ENABLED: 'false' });
});
afterAll(() => local.end());

async function newKey(): Promise<string> {
  const key = await local.call('POST', '/kms/v1/keys', {});
  return `/kms/v1/keys/${String(key.body['keyId'])}`;
}

/** Sends bytes as they are, and reads until the service closes. */
function exchange(bytes: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(local.service.port, '127.0.0.1', () => socket.write(bytes));
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
  });
}

describe('the entity tag of a key', () => {
  test('is what If-Match takes', async () => {
    const path = await newKey();
    const etag = (await local.call('GET', path)).headers.get('etag');
    expect(etag).toBe('"1"');
    const changed = await local.call('PATCH', path, { name: 'a' }, { 'if-match': String(etag) });
    expect(changed.status).toBe(200);
    expect(changed.headers.get('etag')).toBe('"2"');
    expect((await local.call('PATCH', path, { name: 'b' }, { 'if-match': String(etag) })).status).toBe(409);
  });

  test('is on nothing else', async () => {
    const path = await newKey();
    for (const [method, other] of [
      ['GET', '/kms/v1/keys'],
      ['GET', '/health'],
      ['GET', `${path}/policy`],
      ['POST', `${path}/data-key`],
    ] as const)
      expect((await local.call(method, other)).headers.get('etag')).toBeNull();
  });
});

describe('HEAD and OPTIONS', () => {
  test('HEAD is GET without the body', async () => {
    const path = await newKey();
    for (const address of [path, '/kms/v1/keys?limit=100', '/health', '/openapi.json']) {
      const [head, get] = await Promise.all([
        fetch(`${local.service.baseUrl}${address}`, {
          method: 'HEAD',
          headers: { authorization: `Bearer ${local.apiToken}` },
        }),
        local.call('GET', address),
      ]);
      expect(await head.text()).toBe('');
      expect(head.status).toBe(get.status);
      for (const name of ['content-type', 'etag', 'cache-control'])
        expect([address, name, head.headers.get(name)]).toEqual([address, name, get.headers.get(name)]);
    }
  });

  test('HEAD without a credential is 401, and where there is no GET 405', async () => {
    const head = (path: string) => fetch(`${local.service.baseUrl}${path}`, { method: 'HEAD' });
    expect((await head('/kms/v1/keys')).status).toBe(401);
    expect((await head(`${await newKey()}/encrypt`)).status).toBe(405);
  });

  test.each([
    ['/kms/v1/keys', 'GET, HEAD, OPTIONS, POST'],
    ['/kms/v1/keys/01890000-0000-7000-8000-00000000dead', 'DELETE, GET, HEAD, OPTIONS, PATCH'],
    ['/kms/v1/keys/01890000-0000-7000-8000-00000000dead/encrypt', 'OPTIONS, POST'],
    ['/kms/v1/keys/stats', 'GET, HEAD, OPTIONS'],
    ['/livez', 'GET, HEAD, OPTIONS'],
  ])('OPTIONS and 405 of %s name the methods that it takes', async (path, methods) => {
    const options = await send(`${local.service.baseUrl}${path}`, 'OPTIONS', undefined);
    expect(options).toMatchObject({ status: 204, body: {} });
    expect(options.headers.get('allow')).toBe(methods);
    const refused = await send(`${local.service.baseUrl}${path}`, 'PUT', local.apiToken, {});
    expect(refused).toMatchObject({ status: 405, body: { code: 'METHOD_NOT_ALLOWED' } });
    expect(refused.headers.get('allow')).toBe(methods);
  });

  test('every path of the document refuses the methods that it has not there with 405', async () => {
    const methodsOf = Map.groupBy(OPERATIONS, ({ path }) => path);
    for (const [path, operations] of methodsOf) {
      const documented = operations.map(({ method }) => method);
      const address = path.replaceAll(/\{\w+\}/g, '01890000-0000-7000-8000-00000000dead');
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].filter((one) => !documented.includes(one))) {
        const refused = await send(`${local.service.baseUrl}${address}`, method, local.apiToken);
        expect([method, path, refused.status]).toEqual([method, path, 405]);
        const allowed = refused.headers.get('allow')?.split(', ') ?? [];
        expect(allowed.filter((one) => one !== 'HEAD' && one !== 'OPTIONS').toSorted()).toEqual(documented.toSorted());
      }
    }
  });

  test('OPTIONS lets no other website call the service', async () => {
    const answer = await fetch(`${local.service.baseUrl}/kms/v1/keys`, {
      method: 'OPTIONS',
      headers: { origin: 'https://elsewhere.example', 'access-control-request-method': 'POST' },
    });
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
  });

  test('OPTIONS of nothing is 404', async () => {
    expect((await send(`${local.service.baseUrl}/kms/v1/nothing`, 'OPTIONS', undefined)).status).toBe(404);
  });
});

describe('DELETE of a key', () => {
  const days = (answer: { body: Readonly<Record<string, unknown>> }) =>
    Math.round((Date.parse(String(answer.body['destroyAt'])) - Date.now()) / 86_400_000);

  test('takes the waiting period in the query or in the body', async () => {
    expect(days(await local.call('DELETE', `${await newKey()}?pendingWindow=30`))).toBe(30);
    expect(days(await local.call('DELETE', await newKey(), { pendingWindow: 20 }))).toBe(20);
    expect(days(await local.call('POST', `${await newKey()}/destroy?pendingWindow=10`))).toBe(10);
    expect(days(await local.call('DELETE', `${await newKey()}?pendingWindow=5`, { pendingWindow: 5 }))).toBe(5);
    expect(days(await local.call('DELETE', await newKey()))).toBe(7);
  });

  test('refuses a waiting period out of range, or two that differ', async () => {
    const path = await newKey();
    for (const [query, body] of [
      ['?pendingWindow=0', undefined],
      ['?pendingWindow=91', undefined],
      ['?pendingWindow=soon', undefined],
      ['?pendingWindow=30', { pendingWindow: 7 }],
    ] as const)
      expect(await local.call('DELETE', `${path}${query}`, body)).toMatchObject({
        status: 400,
        body: { details: { issues: [{ path: 'pendingWindow' }] } },
      });
    expect((await local.call('GET', path)).body).toMatchObject({ state: 'active', revision: 1 });
  });

  test('with another query is another request for an idempotency key', async () => {
    const path = await newKey();
    const headers = { 'idempotency-key': 'delete' };
    expect((await local.call('DELETE', `${path}?pendingWindow=30`, undefined, headers)).status).toBe(200);
    expect((await local.call('DELETE', `${path}?pendingWindow=30`, undefined, headers)).status).toBe(200);
    expect((await local.call('DELETE', `${path}?pendingWindow=7`, undefined, headers)).body).toMatchObject({
      code: 'IDEMPOTENCY_MISMATCH',
    });
  });
});

describe('bytes that HTTP does not allow', () => {
  test('raw bytes that are not ASCII in the query are a bad request in the one shape', async () => {
    const text = await exchange(
      Buffer.from(
        `GET /kms/v1/keys?name=Schlüssel HTTP/1.1\r\nHost: kms\r\nAuthorization: Bearer ${local.apiToken}\r\n\r\n`,
      ),
    );
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(JSON.parse(text.split('\r\n\r\n')[1] ?? '')).toMatchObject({ statusCode: 400, code: 'BAD_REQUEST' });
  });

  test('percent-encoded ones in the query are text in UTF-8', async () => {
    await local.call('POST', '/kms/v1/keys', { name: 'Schlüssel' });
    expect((await local.call('GET', '/kms/v1/keys?name=Schl%C3%BCssel')).body['items']).toHaveLength(1);
  });
});

describe('headers by which a gateway says who calls', () => {
  const claims = {
    'x-qnsp-api-key-id': '01890000-0000-7000-8000-00000000dead',
    'x-qnsp-api-key-user': 'admin',
    'x-qnsp-api-key-scopes': 'kms:*',
    'x-forwarded-for': '192.0.2.7',
    forwarded: 'for=192.0.2.7',
    'x-real-ip': '192.0.2.7',
  };

  test('are worth nothing without a credential', async () => {
    const answer = await send(`${local.service.baseUrl}/kms/v1/keys`, 'GET', undefined, undefined, {
      ...claims,
      'x-qnsp-tenant': local.tenantId,
    });
    expect(answer).toMatchObject({ status: 401, body: { code: 'UNAUTHORIZED' } });
  });

  test('add nothing to a credential', async () => {
    const { token } = (await local.call('POST', '/kms/v1/tokens', { name: 'reader', role: 'auditor' })).body;
    const answer = await send(`${local.service.baseUrl}/kms/v1/keys`, 'POST', String(token), {}, claims);
    expect(answer).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
  });

  test('do not say where a call comes from', async () => {
    const path = await newKey();
    const policy = {
      version: '1',
      statements: [
        { effect: 'deny', actions: ['kms:encrypt'], resources: ['*'], conditions: { ip: ['192.0.2.0/24'] } },
      ],
    };
    expect((await local.call('PUT', `${path}/policy`, policy)).status).toBe(200);
    expect((await local.call('POST', `${path}/encrypt`, { plaintext: 'aGk=' }, claims)).status).toBe(200);
    const elsewhere = { ...policy, statements: [{ ...policy.statements[0], conditions: { ip: ['127.0.0.1'] } }] };
    expect((await local.call('PUT', `${path}/policy`, elsewhere)).status).toBe(200);
    expect((await local.call('POST', `${path}/encrypt`, { plaintext: 'aGk=' }, claims)).status).toBe(403);
  });
});

describe('the gateway credential', () => {
  const credential = randomBytes(32).toString('base64');
  let behind: LocalService;
  let path: string;
  beforeAll(async () => {
    behind = await startLocalService({ KMS_GATEWAY_CREDENTIAL: credential });
    path = `/kms/v1/keys/${String((await behind.call('POST', '/kms/v1/keys', {})).body['keyId'])}`;
    const statements = [
      { effect: 'deny', actions: ['kms:encrypt'], resources: ['*'], conditions: { ip: ['192.0.2.0/24'] } },
    ];
    await behind.call('PUT', `${path}/policy`, { version: '1', statements });
  });
  afterAll(() => behind.end());
  const encrypt = (headers: Record<string, string>) =>
    behind.call('POST', `${path}/encrypt`, { plaintext: 'aGk=' }, headers);

  test('makes the gateway say from where a call comes', async () => {
    const from = (address: string) => ({ 'x-qnsp-gateway-credential': credential, 'x-forwarded-for': address });
    expect((await encrypt(from('192.0.2.7'))).body).toMatchObject({ code: 'FORBIDDEN' });
    expect((await encrypt(from('198.51.100.1, 192.0.2.7'))).body).toMatchObject({ code: 'FORBIDDEN' });
    expect((await encrypt(from('192.0.2.7, 198.51.100.1'))).status).toBe(200);
    expect((await encrypt(from('2001:db8::1'))).status).toBe(200);
  });

  test('is needed for that, and a wrong one ends the call', async () => {
    expect((await encrypt({ 'x-forwarded-for': '192.0.2.7' })).status).toBe(200);
    expect(
      (await encrypt({ 'x-forwarded-for': '192.0.2.7', 'x-qnsp-gateway-credential': 'A'.repeat(44) })).body,
    ).toMatchObject({ code: 'UNAUTHORIZED' });
  });

  test('does not go with a call from nowhere', async () => {
    for (const forwarded of [{}, { 'x-forwarded-for': 'unknown' }])
      expect((await encrypt({ 'x-qnsp-gateway-credential': credential, ...forwarded })).body).toMatchObject({
        code: 'BAD_REQUEST',
      });
  });

  test('signs nobody in', async () => {
    const answer = await send(`${behind.service.baseUrl}${path}`, 'GET', undefined, undefined, {
      'x-qnsp-gateway-credential': credential,
      'x-forwarded-for': '192.0.2.7',
      'x-qnsp-api-key-id': '01890000-0000-7000-8000-00000000dead',
      'x-qnsp-tenant': behind.tenantId,
    });
    expect(answer).toMatchObject({ status: 401, body: { code: 'UNAUTHORIZED' } });
  });
});
