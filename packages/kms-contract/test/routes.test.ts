import { OPERATIONS } from '@qnsp/kms-core';
import { CRYPTO_OPERATIONS } from '@qnsp/kms-core/algorithms';
import { operationNamed } from '@qnsp/kms-core/internal';
import { describe, expect, it } from 'vitest';
import { EXAMPLE } from '../src/answers/examples.ts';
import {
  ALL_ROUTES,
  decodeAnswer,
  encodeAnswer,
  encodeRequest,
  parseRequest,
  type Route,
  ROUTES,
} from '../src/index.ts';

const ids: Readonly<Record<string, string>> = {
  keyId: EXAMPLE.keyId,
  tokenId: EXAMPLE.tokenId,
  bindingId: EXAMPLE.bindingId,
  denialId: EXAMPLE.bindingId,
  migrationId: EXAMPLE.bindingId,
  approvalId: EXAMPLE.bindingId,
  eventId: EXAMPLE.tokenId,
  tenantId: EXAMPLE.tenantId,
};

function paramsOf({ path }: { readonly path: string }): Record<string, string> {
  return Object.fromEntries([...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => [name, ids[name] ?? '']));
}

function exampleRequest(route: Route) {
  return {
    params: paramsOf(route),
    query: (route.example.query ?? {}) as Record<string, string>,
    body: route.example.body,
  };
}

/** Every endpoint that the contract lists, spelt out here a second time on purpose. */
const ENDPOINTS = `
POST /kms/v1/keys
GET /kms/v1/keys
GET /kms/v1/keys/stats
GET /kms/v1/keys/{keyId}
PATCH /kms/v1/keys/{keyId}
GET /kms/v1/keys/{keyId}/public-key
POST /kms/v1/keys/{keyId}/rotate
POST /kms/v1/keys/{keyId}/upgrade
POST /kms/v1/keys/{keyId}/retire
GET /kms/v1/keys/{keyId}/usage
POST /kms/v1/keys/{keyId}/suspend
POST /kms/v1/keys/{keyId}/resume
POST /kms/v1/keys/{keyId}/revoke
DELETE /kms/v1/keys/{keyId}
POST /kms/v1/keys/{keyId}/destroy
POST /kms/v1/keys/{keyId}/restore
POST /kms/v1/keys/{keyId}/shred
POST /kms/v1/tenants/{tenantId}/crypto-shred
GET /kms/v1/tenants/{tenantId}/usage
GET /kms/v1/keys/{keyId}/policy
PUT /kms/v1/keys/{keyId}/policy
DELETE /kms/v1/keys/{keyId}/policy
POST /kms/v1/keys/{keyId}/encrypt
POST /kms/v1/keys/{keyId}/decrypt
POST /kms/v1/keys/{keyId}/reencrypt
POST /kms/v1/encrypt
POST /kms/v1/decrypt
POST /kms/v1/reencrypt
POST /kms/v1/keys/{keyId}/sign
POST /kms/v1/keys/{keyId}/verify
POST /kms/v1/sign
POST /kms/v1/verify
POST /kms/v1/keys/{keyId}/wrap
POST /kms/v1/keys/{keyId}/unwrap
POST /kms/v1/keys/{keyId}/data-key
POST /kms/v1/keys/{keyId}/mac
POST /kms/v1/keys/{keyId}/mac/verify
POST /kms/v1/keys/{keyId}/encapsulate
POST /kms/v1/keys/{keyId}/decapsulate
POST /kms/v1/keys/{keyId}/derive
POST /kms/v1/byok/import
GET /kms/v1/byok/parameters
GET /kms/v1/random
GET /kms/v1/inventory/cyclonedx
GET /kms/v1/inventory
GET /kms/v1/audit/events
GET /kms/v1/audit/events/{eventId}/proof
GET /kms/v1/audit/checkpoints
GET /kms/v1/audit/export
POST /kms/v1/migrations
GET /kms/v1/migrations
GET /kms/v1/migrations/{migrationId}
POST /kms/v1/migrations/{migrationId}/cancel
GET /kms/v1/rotation-schedules
GET /kms/v1/rotation-schedules/upcoming
POST /kms/v1/tokens
GET /kms/v1/tokens
GET /kms/v1/tokens/self
GET /kms/v1/tokens/{tokenId}
POST /kms/v1/tokens/{tokenId}/rotate
POST /kms/v1/tokens/{tokenId}/revoke
DELETE /kms/v1/tokens/{tokenId}
POST /kms/v1/identity-bindings
GET /kms/v1/identity-bindings
POST /kms/v1/identity-bindings/deny
GET /kms/v1/identity-denials
POST /kms/v1/identity-denials/{denialId}/lift
GET /kms/v1/identity-bindings/{bindingId}
DELETE /kms/v1/identity-bindings/{bindingId}
GET /kms/v1/approvals
GET /kms/v1/approvals/{approvalId}
POST /kms/v1/approvals/{approvalId}
POST /kms/v1/tenants
GET /kms/v1/tenants
PATCH /kms/v1/tenants/{tenantId}
GET /kms/v1/tenants/{tenantId}
POST /kms/v1/tenants/{tenantId}/rotate-master-key
GET /health
GET /kms/v1/health
GET /livez
GET /readyz
GET /metrics
GET /openapi.json
GET /kms/v1/openapi.json
POST /billing/v1/sdk/activate
`;

const addresses = ALL_ROUTES.flatMap((route) => [route, ...(route.also ?? [])]);

describe('the route table', () => {
  it('has every endpoint of the contract, each once', () => {
    expect(addresses.map(({ method, path }) => `${method} ${path}`).toSorted()).toEqual(
      ENDPOINTS.trim().split('\n').toSorted(),
    );
  });

  it('lists each route under its operation id', () => {
    for (const [id, route] of Object.entries(ROUTES)) expect(route.operationId).toBe(id);
  });

  it('has a route for every crypto operation, which needs its permission', () => {
    const operations = ALL_ROUTES.flatMap(({ crypto, permission }) =>
      crypto === undefined ? [] : [`${crypto.operation} ${permission}`],
    );
    expect(operations.toSorted()).toEqual(
      CRYPTO_OPERATIONS.map((operation) => `${operation} kms:${operation}`).toSorted(),
    );
  });

  it('says what the catalogue of operations says', () => {
    for (const { operationId, permission, mutating, crypto, auth } of ALL_ROUTES) {
      const known = operationNamed(operationId);
      expect({ operationId, permission, mutating, operation: crypto?.operation, anonymous: auth === 'none' }).toEqual({
        operationId,
        permission: known.permission ?? undefined,
        mutating: known.changes,
        operation: known.crypto,
        anonymous: known.event === null,
      });
    }
  });

  it('has every operation of the catalogue but those that nobody calls', () => {
    const routed = new Set<string>(ALL_ROUTES.map(({ operationId }) => operationId));
    expect(Object.keys(OPERATIONS).filter((name) => !routed.has(name))).toEqual([
      'start',
      'bootstrapTenant',
      'installPlatformToken',
      'removeExpiredTokens',
      'applyTombstones',
      'runDueWork',
      'rotateDueMasterKeys',
      'resealMasterKeys',
      'runMigrations',
      'sweepResidentKeys',
      'checkRoots',
      'completeWraps',
      'bindTenants',
      'rootStatus',
      'initialiseRoots',
      'addRoot',
      'rotateRoot',
      'retireRoot',
    ]);
  });

  it('puts a fixed segment before a parameter in the same place', () => {
    const seen: string[] = [];
    for (const { method, path } of addresses) {
      const shadow = seen.find((earlier) =>
        new RegExp(`^${earlier.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(`${method} ${path}`),
      );
      expect(shadow, `${method} ${path}`).toBeUndefined();
      seen.push(`${method} ${path}`);
    }
  });

  it('asks for a credential everywhere but at health, metrics and documents', () => {
    expect(ALL_ROUTES.filter(({ auth }) => auth === 'none').map(({ path }) => path)).toEqual([
      '/health',
      '/livez',
      '/readyz',
      '/metrics',
      '/openapi.json',
    ]);
  });

  it('counts no reading and no crypto as a change', () => {
    for (const { mutating, method, crypto, operationId } of ALL_ROUTES) {
      expect(mutating, operationId).toBe(method !== 'GET' && crypto === undefined && operationId !== 'activateSdk');
    }
  });
});

describe.each(ALL_ROUTES.map((route) => [route.operationId, route] as const))('the example of %s', (_, route) => {
  it('is a request of the route', () => {
    expect(() => parseRequest(route, exampleRequest(route))).not.toThrow();
  });

  it('comes through a client and back unchanged', () => {
    const parsed = parseRequest(route, exampleRequest(route));
    const sent = encodeRequest(route, parsed);
    const params = { ...paramsOf(route), ...(route.crypto === undefined ? {} : { keyId: EXAMPLE.keyId }) };
    expect(sent.path).toBe(route.path.replaceAll(/\{(\w+)\}/g, (__, name: string) => ids[name] ?? ''));
    expect(
      parseRequest(route, {
        params,
        query: sent.query,
        body: JSON.parse(JSON.stringify(sent.body ?? {})),
        headers: sent.headers,
      }),
    ).toEqual(parsed);
  });

  it('has an answer of the route, of which nothing is lost', () => {
    const decoded = decodeAnswer(route, route.example.answer);
    expect(encodeAnswer(route, decoded)).toEqual(route.example.answer);
  });
});

describe('requests of clients', () => {
  const plaintext = Buffer.from('hi');

  it('go to the path of the key', () => {
    expect(encodeRequest(ROUTES.encrypt, { body: { keyId: EXAMPLE.keyId, plaintext } })).toEqual({
      method: 'POST',
      path: `/kms/v1/keys/${EXAMPLE.keyId}/encrypt`,
      query: {},
      headers: {},
      body: { plaintext: 'aGk=' },
    });
  });

  it('go without a key where the ciphertext names it', () => {
    expect(encodeRequest(ROUTES.decrypt, { body: { ciphertext: plaintext } })).toMatchObject({
      path: '/kms/v1/decrypt',
      body: { ciphertext: 'aGk=' },
    });
    expect(
      encodeRequest(ROUTES.reencrypt, { body: { ciphertext: plaintext, destinationKeyId: EXAMPLE.otherKeyId } }),
    ).toMatchObject({
      path: '/kms/v1/reencrypt',
      body: { ciphertext: 'aGk=', destinationKeyId: EXAMPLE.otherKeyId },
    });
  });

  it('carry revision and idempotency key as headers', () => {
    const sent = encodeRequest(ROUTES.updateKey, {
      params: { keyId: EXAMPLE.keyId },
      body: { usageLimits: { expiresAt: new Date('2030-01-01T00:00:00Z') } },
      ifRevision: 3,
      idempotencyKey: 'order-42',
    });
    expect(sent.headers).toEqual({ 'if-match': '"3"', 'idempotency-key': 'order-42' });
    expect(sent.body).toEqual({ usageLimits: { expiresAt: '2030-01-01T00:00:00.000Z' } });
  });
});
