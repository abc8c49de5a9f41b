import { randomBytes } from 'node:crypto';
import * as vitest from 'vitest';
import { describe, expect, test } from 'vitest';
import {
  apiTokenVerifier,
  createApiToken,
  type CredentialVerifier,
  effectivePermissions,
  type Identity,
  newId,
  notAuthorized,
  revokeApiToken,
  TOKEN_PREFIX,
  verifyCredentials,
} from '../src/exports/internal.ts';
import { credentialVerifierContract, declareContract } from '../src/testing/index.ts';
import { makeFixture } from './kms-fixture.ts';

declareContract(
  credentialVerifierContract('API tokens as credentials', async () => {
    const { kms, admin, tenantId, advance } = await makeFixture();
    const make = (name: string, expiresAt?: Date) =>
      createApiToken(
        { kms, caller: admin },
        { name, role: 'key_user', ...(expiresAt === undefined ? {} : { expiresAt }) },
      );
    const live = await make('live');
    const revoked = await make('revoked');
    const expired = await make('expired', new Date(kms.clock() + 60_000));
    await revokeApiToken({ kms, caller: admin }, { tokenId: revoked.tokenId });
    advance(120_000);
    return {
      verifier: apiTokenVerifier(kms),
      live: { bearer: live.token },
      identity: {
        subject: live.tokenId,
        tenantId,
        credential: 'api-token',
        holds: [...effectivePermissions('key_user', [])],
      },
      unknown: [{ bearer: TOKEN_PREFIX + randomBytes(32).toString('base64url') }, { bearer: TOKEN_PREFIX }],
      ended: [revoked, expired].map(({ token, tokenId }) => ({ presented: { bearer: token }, subject: tokenId })),
      foreign: [{ bearer: 'eyJhbGciOiJFUzI1NiJ9.e30.c2ln' }, { bearer: '' }, { bearer: 'qnsp' }],
      end: async () => {
        await revokeApiToken({ kms, caller: admin }, { tokenId: live.tokenId });
      },
    };
  }),
  vitest,
);

describe('verifiers in a row', () => {
  const identity = (subject: string): Identity => ({
    subject,
    tenantId: newId(),
    permissions: new Set(),
    attributes: { mfa: false },
    credential: 'jwt',
    keys: null,
  });
  const knows = (subject: string): CredentialVerifier => ({
    verify: ({ bearer }) => (bearer === subject ? identity(subject) : undefined),
  });
  const slowly = (verifier: CredentialVerifier): CredentialVerifier => ({
    verify: async (presented) => verifier.verify(presented),
  });
  const refuses: CredentialVerifier = {
    verify: () => {
      throw notAuthorized();
    },
  };

  test('the first that knows a credential says whose it is, without a promise where none of those before it needs one', async () => {
    const found = verifyCredentials([knows('a'), knows('b'), slowly(knows('c'))], { bearer: 'b' });
    expect(found).toMatchObject({ subject: 'b' });
    const row = [knows('a'), slowly(knows('b')), knows('c'), slowly(knows('d'))];
    for (const subject of ['a', 'b', 'c', 'd'])
      expect(await verifyCredentials(row, { bearer: subject })).toMatchObject({ subject });
  });

  test('what nobody knows is refused, and what one refuses is not asked of the next', async () => {
    for (const row of [[], [knows('a'), knows('b')]])
      expect(() => verifyCredentials(row, { bearer: 'x' })).toThrow(notAuthorized().message);
    await expect(verifyCredentials([knows('a'), slowly(knows('b'))], { bearer: 'x' })).rejects.toThrow(
      notAuthorized().message,
    );
    expect(() => verifyCredentials([refuses, knows('a')], { bearer: 'a' })).toThrow(notAuthorized().message);
    await expect(verifyCredentials([slowly(refuses), knows('a')], { bearer: 'a' })).rejects.toThrow(
      notAuthorized().message,
    );
  });
});
