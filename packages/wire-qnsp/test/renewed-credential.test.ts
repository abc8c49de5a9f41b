import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { makeHttpServer } from '@qnsp/http-edge';
import { edgeUnderTest, HTTP_LIMITS, RawConnection } from '@qnsp/http-edge/testing';
import type { CredentialVerifier, Identity } from '@qnsp/kms-core';
import { apiTokenVerifier } from '@qnsp/kms-core/internal';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { qnsp } from './dialects.ts';

/** What becomes of the identity that a credential stands for. */
let become: (identity: Identity) => Identity = (identity) => identity;
let under: Awaited<ReturnType<typeof edgeUnderTest>>;
let http: ReturnType<typeof makeHttpServer>;
let port: number;

beforeAll(async () => {
  under = await edgeUnderTest();
  const tokens = apiTokenVerifier(under.edge.kms);
  const verifier: CredentialVerifier = {
    verify: async (presented) => {
      const identity = await tokens.verify(presented);
      return identity && become(identity);
    },
  };
  http = makeHttpServer({ ...under.edge, verifiers: [verifier] }, [qnsp.dialect], HTTP_LIMITS);
  http.server.listen(0, '127.0.0.1');
  await once(http.server, 'listening');
  ({ port } = http.server.address() as AddressInfo);
});
afterAll(() => http.stop());

/** Sends the head of a request, and its body when the credential has become something else. */
async function statusAfter(body: string, change: typeof become): Promise<string | undefined> {
  become = (identity) => identity;
  const connection = new RawConnection(port);
  const finish = await connection.begin({
    path: qnsp.encryptPath(under.keyId),
    headers: qnsp.credential(under.token),
    body,
    // Not the fast path, which looks at the credential when the body is there.
    framing: 'chunked',
  });
  become = change;
  const answer = await finish();
  connection.close();
  return /^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1];
}

describe('a call whose body comes late', () => {
  const letter = JSON.stringify({ plaintext: 'aGk=' });

  test('is done with what its credential holds by then', async () => {
    expect(await statusAfter(letter, (identity) => ({ ...identity }))).toBe('200');
    expect(await statusAfter(letter, (identity) => ({ ...identity, permissions: new Set() }))).toBe('403');
    expect(await statusAfter(letter, (identity) => ({ ...identity, keys: new Set() }))).toBe('403');
  });

  test('is refused when its credential stands for somebody else by then', async () => {
    expect(await statusAfter(letter, (identity) => ({ ...identity, subject: 'another' }))).toBe('401');
    expect(await statusAfter(letter, (identity) => ({ ...identity, tenantId: under.otherTenantId }))).toBe('401');
  });
});
