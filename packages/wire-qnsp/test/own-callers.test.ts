import { type Caller, type Identity, localCaller, SYSTEM_TENANT } from '@qnsp/kms-core';
import { apiTokenVerifier } from '@qnsp/kms-core/internal';
import type { Context, Env, MiddlewareHandler } from 'hono';
import { bearerAuth } from 'hono/bearer-auth';
import { HTTPException } from 'hono/http-exception';
import { expect, test } from 'vitest';
import { kmsHttp } from '../src/index.ts';
import { makeKey, open, within } from './mounted-kms.ts';

test.each([[undefined], [null], [''], ['notes']])('a caller whose tenant is %j is nobody', async (tenant) => {
  const { options, events, tenantId } = await open();
  const known = localCaller({ tenantId, subject: 'ada', role: 'platform_admin' });
  // What a program without types may say.
  const authenticate = () => ({ ...known, tenantId: tenant as string });
  const send = within(kmsHttp({ ...options, authenticate }).app);
  for (const headers of [{}, { 'x-qnsp-tenant': tenantId }])
    for (const path of ['/kms/v1/keys', '/kms/v1/tenants'])
      expect(await send(path, { headers })).toMatchObject({ status: 401, body: { code: 'UNAUTHORIZED' } });
  expect(events).toEqual([]);
});

/** What may be thrown to refuse a caller, and the answer to it. */
const REFUSED = [
  [401, 401, 'UNAUTHORIZED'],
  [403, 403, 'FORBIDDEN'],
  [429, 429, 'TOO_MANY_REQUESTS'],
  [400, 500, 'INTERNAL_ERROR'],
  [404, 500, 'INTERNAL_ERROR'],
  [503, 500, 'INTERNAL_ERROR'],
] as const;

test.each(REFUSED)('who is refused by an exception of Hono with %i gets %i', async (thrown, status, code) => {
  const { options, failures } = await open();
  const refuse = (exception: HTTPException) => {
    const authenticate = () => Promise.reject<Caller>(exception);
    return within(kmsHttp({ ...options, authenticate }).app)('/kms/v1/keys', {});
  };
  const message = 'Not in this house.';
  const told = await refuse(new HTTPException(thrown, { message }));
  expect(told).toMatchObject({ status, body: { code } });
  expect(told.body['message'] === message).toBe(status === thrown);
  const res = new Response('Later.', { headers: { 'retry-after': '7' } });
  const later = await refuse(new HTTPException(thrown, { res }));
  expect(later).toMatchObject({ status, body: { code } });
  expect(later.headers.get('retry-after')).toBe(status === thrown ? '7' : null);
  expect(failures).toHaveLength(status === thrown ? 0 : 2);
});

test('middleware of Hono may find out who calls', async () => {
  const { options, tenantId } = await open();
  const guard: MiddlewareHandler = bearerAuth({ token: 'open' });
  const caller = localCaller({ tenantId, subject: 'ada', role: 'key_admin' });
  const send = within(
    kmsHttp({
      ...options,
      authenticate: async (c) => {
        await guard(c as Context<Env, string>, async () => undefined);
        return caller;
      },
    }).app,
  );
  const statusWith = async (authorization: string) =>
    (await send('/kms/v1/keys', { headers: { authorization } })).status;
  expect([await statusWith('Bearer sesame'), await statusWith('Bearer open')]).toEqual([401, 200]);
});

test('a limiter of addresses goes with kinds of credentials, and not with a function', async () => {
  const { kms, options } = await open();
  const addressLimiter = { isAlert: false, admit: () => undefined, failed: () => undefined };
  expect(() => kmsHttp({ ...options, addressLimiter })).toThrow(TypeError);
  const { edge } = kmsHttp({ ...options, addressLimiter, authenticate: [apiTokenVerifier(kms.parts)] });
  expect(edge.addressLimiter).toBe(addressLimiter);
});

test('callers of an application are held to what the platform set for their tenant, from the moment of the change', async () => {
  const { kms, tenantId, options } = await open();
  const taken: Identity[] = [];
  const rateLimiter = { limitsAll: false, take: (identity: Identity) => void taken.push(identity) };
  const platform = kms.as(localCaller({ tenantId: SYSTEM_TENANT, subject: 'operator', role: 'platform_admin' }));
  const send = within(kmsHttp({ ...options, rateLimiter }).app);
  await makeKey(send);
  expect(taken).toEqual([]);
  await platform.updateTenant({ tenantId, limits: { rate: { unitsPerSecond: 5, burst: 7 } } });
  await makeKey(send, 'more letters');
  expect(taken[0]?.tenantLimits).toMatchObject({ rate: { unitsPerSecond: 5, burst: 7 } });
  taken.length = 0;
  const admin = kms.as(localCaller({ tenantId, subject: 'ada', role: 'tenant_admin' }));
  const { token } = await admin.createToken({ name: 'importer', role: 'key_admin' });
  const byToken = kmsHttp({ ...options, rateLimiter, authenticate: () => kms.authenticate({ bearer: token }) });
  await makeKey(within(byToken.app), 'letters of a token');
  expect(taken[0]?.tenantLimits).toMatchObject({ rate: { unitsPerSecond: 5, burst: 7 } });
  taken.length = 0;
  await platform.updateTenant({ tenantId, limits: { rate: null } });
  await makeKey(send, 'the last letters');
  expect(taken).toEqual([]);
});
