import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { jwtIssuer, makeAuthority, tempDir, trustAuthority } from '@qnsp/test-harness';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LocalService, startLocalService } from '../local-service.ts';

const BURST = 5;
const directory = tempDir('qnsp-failures-by-address-');
const authority = makeAuthority(directory.path, 'authority');
const clients = makeAuthority(directory.path, 'clients');
const [issuer, forger] = [jwtIssuer(), jwtIssuer()];
let local: LocalService;

beforeAll(async () => {
  trustAuthority(authority);
  const server = authority.issue('kms');
  local = await startLocalService({
    ...issuer.env,
    KMS_TLS_CERT_FILE: server.certificate,
    KMS_TLS_KEY_FILE: server.key,
    KMS_TLS_CLIENT_CA_FILE: clients.certificate,
    KMS_LIMIT_FAILED_AUTHENTICATIONS_PER_SECOND: '1',
    KMS_LIMIT_FAILED_AUTHENTICATIONS_BURST: String(BURST),
  });
  for (const [by, match] of [
    [issuer.issuer, { sub: 'orders-*' }],
    ['mtls', { 'subject.cn': 'bound-*' }],
  ] as const) {
    const body = { issuer: by, match, role: 'auditor' };
    expect((await local.call('POST', '/kms/v1/identity-bindings', body)).status).toBe(201);
  }
});
afterAll(async () => {
  await local.end();
  await issuer.end();
  await forger.end();
  await directory.remove();
});

interface Presented {
  readonly bearer?: string;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}
const certificate = (name: string): Presented => {
  const issued = clients.issue(name, { extensions: ['extendedKeyUsage=clientAuth'] });
  return { cert: readFileSync(issued.certificate), key: readFileSync(issued.key) };
};

/** The status of a call from an address of this machine, over a connection of its own. */
async function ask(localAddress: string, { bearer, ...client }: Presented): Promise<number> {
  const headers = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
  const { port } = local.service;
  const sent = request({
    agent: false,
    host: '127.0.0.1',
    port,
    path: '/kms/v1/keys',
    localAddress,
    headers,
    ...client,
  });
  sent.end();
  // What the event carries.
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  await text(answer);
  return answer.statusCode ?? 0;
}

let addresses = 1;
const newAddress = (): string => {
  addresses += 1;
  return `127.0.0.${addresses}`;
};

interface Kind {
  /** Does not hold; each time another one, where there are others. */
  readonly bad: () => Presented;
  /** Holds, and no node has seen it; nothing where there is nothing to present. */
  readonly sound: (() => Promise<Presented>) | undefined;
}
let made = 0;
const kinds: readonly (readonly [name: string, kind: () => Kind])[] = [
  [
    'API tokens',
    () => ({
      bad: () => ({ bearer: `qnsp_pqc_${randomBytes(32).toString('base64url')}` }),
      sound: async () => {
        const { body } = await local.call('POST', '/kms/v1/tokens', { name: 'sound', role: 'auditor' });
        return { bearer: String(body['token']) };
      },
    }),
  ],
  [
    'JWTs',
    () => ({
      bad: () => ({ bearer: forger.token('orders-api') }),
      sound: async () => ({ bearer: issuer.token('orders-api') }),
    }),
  ],
  [
    'certificates of clients',
    () => {
      const unbound = certificate('unbound');
      return {
        bad: () => unbound,
        sound: async () => {
          made += 1;
          return certificate(`bound-${made}`);
        },
      };
    },
  ],
  ['what is of no kind', () => ({ bad: () => ({ bearer: 'something' }), sound: undefined })],
];

test.each(kinds)(
  'failures with %s count for their address, successes do not, and other addresses go on',
  async (_of, kind) => {
    const { bad, sound } = kind();
    const [from, elsewhere] = [newAddress(), newAddress()];
    const held = await sound?.();
    if (held !== undefined) for (let call = 0; call < 4 * BURST; call += 1) expect(await ask(from, held)).toBe(200);
    expect(await ask(from, bad())).toBe(401);
    // Those that are under way at once may all be looked at before the first of them has failed.
    await Promise.all(Array.from({ length: 8 * BURST }, () => ask(from, bad())));
    const statuses = await Promise.all(Array.from({ length: 8 * BURST }, () => ask(from, bad())));
    expect(statuses).toContain(429);
    if (held !== undefined) expect(await ask(from, held)).toBe(200);
    expect(await ask(elsewhere, bad())).toBe(401);
    const fresh = await sound?.();
    if (fresh !== undefined) expect(await ask(elsewhere, fresh)).toBe(200);
  },
);

test('a call without any credential is not counted: there is nothing to look at', async () => {
  const from = newAddress();
  const statuses = await Promise.all(Array.from({ length: 8 * BURST }, () => ask(from, {})));
  expect(new Set(statuses)).toEqual(new Set([401]));
  expect(await ask(from, { bearer: 'something' })).toBe(401);
});
