import { randomBytes } from 'node:crypto';
import type { Side } from './compare-cpu.ts';
import type { BenchService } from './start-sides.ts';
import { postOf, type Target } from './target.ts';

const DATA = randomBytes(32).toString('base64');

/** An operation under a key that is in memory, of the service and of the floor. */
export interface HotOperation<Name extends string = string> {
  readonly name: Name;
  /** The floor's path and what it gets. */
  readonly floor: { readonly path: string; body(floorUrl: string): Promise<object> | object };
  /** The service's path and what it gets, for a key that is made first. */
  readonly service: (service: BenchService) => Promise<{ readonly path: string; readonly body: object }>;
}

export const ENCRYPT: HotOperation<'encrypt'> = {
  name: 'encrypt',
  floor: { path: '/encrypt', body: () => ({ plaintext: DATA }) },
  service: async (service) => ({
    path: `/kms/v1/keys/${await service.createKey()}/encrypt`,
    body: { plaintext: DATA },
  }),
};

export const DECRYPT: HotOperation<'decrypt'> = {
  name: 'decrypt',
  floor: {
    path: '/decrypt',
    body: async (url) => ({ ciphertext: await answerOf(`${url}/encrypt`, { plaintext: DATA }, 'ciphertext') }),
  },
  service: async (service) => {
    const path = `keys/${await service.createKey()}`;
    const { ciphertext } = await service.call('POST', `${path}/encrypt`, { plaintext: DATA });
    return { path: `/kms/v1/${path}/decrypt`, body: { ciphertext } };
  },
};

export const SIGN_ED25519 = signing('ed25519');
export const SIGN_P256 = signing('ecdsa-p256');

/** As many encryptions in one request. */
export function encryptBatch<Count extends number>(count: Count): HotOperation<`encrypt a batch of ${Count}`> {
  const body = { items: Array.from({ length: count }, () => ({ plaintext: DATA })) };
  return {
    name: `encrypt a batch of ${count}`,
    floor: { path: '/encrypt-batch', body: () => body },
    service: async (service) => ({ path: `/kms/v1/keys/${await service.createKey()}/encrypt`, body }),
  };
}

/** A server and the connections to it. */
export interface Server<S> {
  readonly service: S;
  readonly target: Target;
}

/** The floor and the service with what is sent to each. */
export async function sidesOf(
  operation: HotOperation,
  bare: Server<Side['service']>,
  served: Server<BenchService>,
): Promise<readonly [floor: Side, service: Side]> {
  const { path, body } = await operation.service(served.service);
  const bareBody = await operation.floor.body(bare.service.baseUrl);
  return [
    { ...bare, request: postOf(operation.floor.path, bareBody) },
    { ...served, request: postOf(path, body, served.service.token) },
  ];
}

function signing<Algorithm extends string>(algorithm: Algorithm): HotOperation<`sign, ${Algorithm}`> {
  return {
    name: `sign, ${algorithm}`,
    floor: { path: `/sign-${algorithm}`, body: () => ({ data: DATA }) },
    service: async (service) => ({
      path: `/kms/v1/keys/${await service.createKey({ algorithm })}/sign`,
      body: { data: DATA },
    }),
  };
}

async function answerOf(url: string, body: object, field: string): Promise<string> {
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
  return String(((await response.json()) as Readonly<Record<string, unknown>>)[field]);
}
