import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { AccessLog } from '@qnsp/http-edge';
import { type AuditEvent, KmsError, localCaller, openKms, type OpenKmsOptions, softwareRoot } from '@qnsp/kms-core';
import { inMemoryStorage } from '@qnsp/kms-core/testing';
import type { Hono } from 'hono';
import { afterEach, expect } from 'vitest';
import type { Authenticate, KmsHttpOptions } from '../src/index.ts';

const ROLES = { ada: 'key_admin', ursula: 'key_user', aud: 'auditor', root: 'platform_admin' } as const;
export const JSON_TYPE = { 'content-type': 'application/json' };

/** What ends with the test, last first. */
export const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

/** A KMS with a tenant, and what its routes need. Its callers say who they are. */
export async function open(parts: Partial<OpenKmsOptions> = {}) {
  const events: AuditEvent[] = [];
  const kms = await openKms({
    storage: inMemoryStorage(),
    roots: softwareRoot('software', randomBytes(32)),
    alert: () => undefined,
    ...parts,
    evidence: () => ({
      trail: { requireRoom: () => undefined, record: async (event) => void events.push(event) },
      close: async () => undefined,
    }),
  });
  closing.push(() => kms.close());
  const tenantId = await kms.ensureTenant('notes');
  events.length = 0;
  const lines: Parameters<AccessLog>[0][] = [];
  const failures: object[] = [];
  const authenticate: Authenticate = (c) => {
    const user = c.req.header('x-user');
    if (user === undefined || !(user in ROLES)) throw new KmsError('UNAUTHORIZED', 'Sign in first.');
    const role = ROLES[user as keyof typeof ROLES];
    return localCaller({ tenantId, subject: user, role, ip: c.req.header('x-real-ip') ?? null });
  };
  const options: KmsHttpOptions = {
    kms,
    authenticate,
    access: (line) => lines.push(line),
    log: { error: (fields) => failures.push(fields), warn: (fields) => failures.push(fields) },
  };
  return { kms, tenantId, options, events, lines, failures };
}

export interface Sent {
  readonly method?: string;
  readonly user?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

function requestOf({ user, headers, body, method = body === undefined ? 'GET' : 'POST' }: Sent): RequestInit {
  return {
    method,
    headers: {
      ...(user === undefined ? {} : { 'x-user': user }),
      ...(body === undefined ? {} : JSON_TYPE),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  };
}

export type Send = (
  path: string,
  sent: Sent,
) => Promise<{ readonly status: number; readonly body: Record<string, unknown> }>;

export async function answered(response: Response) {
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>,
  };
}

export const within =
  (app: Hono, prefix = '') =>
  async (path: string, sent: Sent) =>
    answered(await app.request(`${prefix}${path}`, requestOf(sent)));

export async function makeKey(send: Send, name = 'letters'): Promise<string> {
  const { status, body } = await send('/kms/v1/keys', { user: 'ada', body: { name } });
  expect({ status, body }).toMatchObject({ status: 201, body: { name } });
  return String(body['keyId']);
}

/** A server of Node.js for an app. */
export async function listen(app: Hono): Promise<number> {
  const server = createServer((incoming, outgoing) => void getRequestListener(app.fetch)(incoming, outgoing));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(async () => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

export const overHttp =
  (port: number, prefix = '') =>
  async (path: string, sent: Sent) =>
    answered(await fetch(`http://127.0.0.1:${port}${prefix}${path}`, requestOf(sent)));
