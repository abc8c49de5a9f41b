import fc from 'fast-check';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { type LocalService, startLocalService } from '../local-service.ts';
import { OPERATIONS, type Operation } from './document-operations.ts';
import { expectDocumented } from './expect-documented.ts';
import { type FuzzedRequest, requestsOf } from './request-arbitrary.ts';

const ALGORITHMS = ['aes-256-gcm', 'ed25519', 'ecdsa-p256', 'hmac-sha256', 'kyber-768', 'dilithium-2', 'x25519'];

/** Each makes an RSA key. */
const SLOW: Readonly<Record<string, number>> = { getImportParameters: 2 };

export interface FuzzOptions {
  /** Requests of each operation. */
  readonly requests: number;
  readonly seed: number;
  readonly limitMs: number;
}

/** Sends requests that the document allows, and others, and holds every answer against the document. */
export function fuzzDocument({ requests, seed, limitMs }: FuzzOptions): void {
  let local: LocalService;
  const keyIds: string[] = [];
  beforeAll(async () => {
    local = await startLocalService({ LOG_LEVEL: 'error' });
    for (const algorithm of ALGORITHMS)
      keyIds.push(String((await local.call('POST', '/kms/v1/keys', { algorithm })).body['keyId']));
  });
  afterAll(() => local.end());

  const send = async ({ method, path, headers, body }: FuzzedRequest) => {
    const response = await fetch(`${local.service.baseUrl}${path}`, {
      method,
      headers: { ...headers, authorization: `Bearer ${local.apiToken}` },
      ...(body === undefined ? {} : { body }),
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };

  describe(`requests of seed ${seed} are answered as the document says`, () => {
    const rows = OPERATIONS.map((operation) => [operation.method, operation.path, operation] as const);
    test.each(rows)(
      '%s %s',
      async (_method, _path, operation: Operation) => {
        const known = { tenantId: local.tenantId, keyIds };
        await fc.assert(
          fc.asyncProperty(requestsOf(operation, known), async (request) =>
            expectDocumented(operation, await send(request)),
          ),
          { numRuns: SLOW[operation.operationId] ?? requests, seed },
        );
      },
      limitMs,
    );
  });
}
