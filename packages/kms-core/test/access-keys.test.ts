import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import fc from 'fast-check';
import * as vitest from 'vitest';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  type AccessKeyCredentials,
  accessKeyIdOf,
  accessKeyVerifier,
  CERTIFICATE_ISSUER,
  certificateVerifier,
  createApiToken,
  type CreatedApiToken,
  type CreateApiTokenInput,
  createIdentityBinding,
  effectivePermissions,
  getApiToken,
  KmsError,
  newId,
  notAuthorized,
  type PresentedCredentials,
  RefusedCredential,
  revokeApiToken,
  rotateApiToken,
  SYSTEM_TENANT,
  tokenIdOf,
  uuidToBytes,
} from '../src/exports/internal.ts';
import { credentialVerifierContract, declareContract } from '../src/testing/index.ts';
import { type Fixture, makeFixture } from './kms-fixture.ts';

/** A request that is signed with a secret: it is proven by the access key that has this one. */
function signedBy(credentials: AccessKeyCredentials, asked: (string | undefined)[] = []): PresentedCredentials {
  const { accessKeyId, secretAccessKey } = credentials;
  return {
    signature: {
      accessKeyId,
      prove: (accessKey) => {
        const secret = accessKey?.secret();
        asked.push(secret && Buffer.from(secret).toString('latin1'));
        const expected = Buffer.from(secretAccessKey);
        if (secret === undefined || secret.length !== expected.length || !timingSafeEqual(secret, expected))
          throw notAuthorized();
      },
    },
  };
}

function keyOf({ awsCredentials }: CreatedApiToken): AccessKeyCredentials {
  if (awsCredentials === undefined) throw new Error('the token has no access key');
  return awsCredentials;
}

const make = ({ kms, admin }: Fixture, input: Partial<CreateApiTokenInput> = {}) =>
  createApiToken({ kms, caller: admin }, { name: 'signer', role: 'key_user', awsCredentials: true, ...input });

declareContract(
  credentialVerifierContract('access keys of API tokens as credentials', async () => {
    const f = await makeFixture();
    const { kms, admin, tenantId, advance } = f;
    const live = await make(f);
    const revoked = await make(f);
    const expired = await make(f, { expiresAt: new Date(kms.clock() + 60_000) });
    await revokeApiToken({ kms, caller: admin }, { tokenId: revoked.tokenId });
    advance(120_000);
    const bare = await make(f, { awsCredentials: false });
    const madeUp = (accessKeyId: string) => signedBy({ accessKeyId, secretAccessKey: 'A'.repeat(43) });
    const presented = signedBy(keyOf(live));
    return {
      verifier: accessKeyVerifier(kms),
      live: presented,
      identity: {
        subject: live.tokenId,
        tenantId,
        credential: 'sigv4',
        holds: [...effectivePermissions('key_user', [])],
      },
      unknown: [
        madeUp(accessKeyIdOf(newId())),
        madeUp('AKIDEXAMPLE'),
        madeUp(keyOf(live).accessKeyId),
        madeUp(keyOf(revoked).accessKeyId),
        madeUp(accessKeyIdOf(bare.tokenId)),
      ],
      ended: [revoked, expired].map((each) => ({ presented: signedBy(keyOf(each)), subject: each.tokenId })),
      foreign: [{ bearer: live.token }, { bearer: keyOf(live).secretAccessKey }],
      end: async () => {
        await revokeApiToken({ kms, caller: admin }, { tokenId: live.tokenId });
      },
    };
  }),
  vitest,
);

let f: Fixture;
beforeEach(async () => {
  f = await makeFixture();
});

describe('access key ids', () => {
  test('are the prefix and the id of the token in base32, and lead back to it', () => {
    // RFC 4648, section 6, by another implementation.
    expect(accessKeyIdOf('00112233-4455-6677-8899-aabbccddeeff')).toBe('AKQNAAISEM2EKVTHPCEZVK54ZXPO74');
    fc.assert(
      fc.property(fc.uuid(), (tokenId) => {
        const id = accessKeyIdOf(tokenId);
        expect(id).toMatch(/^AKQN[A-Z2-7]{26}$/);
        expect(tokenIdOf(id)).toBe(tokenId);
      }),
    );
  });

  test('have one spelling', () => {
    const id = accessKeyIdOf(newId());
    const last = id.at(-1) ?? '';
    // The last one has two bits to spare, which have to be 0.
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.split('');
    expect(alphabet.filter((letter) => tokenIdOf(id.slice(0, -1) + letter) !== undefined)).toEqual(
      'AEIMQUY4'.split(''),
    );
    expect('AEIMQUY4').toContain(last);
    for (const wrong of [id.toLowerCase(), `${id}A`, id.slice(1), id.replace('AKQN', 'AKIA'), '', 'AKQN', `${id}\n`])
      expect(tokenIdOf(wrong)).toBeUndefined();
  });
});

describe('the secret of an access key', () => {
  test('is derived from the first master key of the service, the id of the token and a salt, and is in no record', async () => {
    const made = await make(f);
    const { accessKeyId, secretAccessKey } = keyOf(made);
    expect(accessKeyId).toBe(accessKeyIdOf(made.tokenId));
    const record = await f.store.transact({ kind: 'system' }, (unit) => unit.tokens.get(made.tokenId));
    const salt = Buffer.from(String(record?.fields['accessKeySalt']), 'base64');
    expect(salt).toHaveLength(16);
    const system = await f.kms.hierarchy.masterKeys(SYSTEM_TENANT);
    const key = hkdfSync('sha256', system.version(1).key, '', 'qnsp-kms/v1/sigv4-secret', 32);
    const expected = createHmac('sha256', Buffer.from(key)).update(uuidToBytes(made.tokenId)).update(salt);
    expect(secretAccessKey).toBe(expected.digest('base64url'));
    expect(JSON.stringify(record)).not.toContain(secretAccessKey);
  });

  test('is shown once, to who asked for it', async () => {
    const { kms, admin } = f;
    expect(await make(f, { awsCredentials: false })).not.toHaveProperty('awsCredentials');
    const idempotency = { key: 'once', fingerprint: Buffer.alloc(32) };
    const op = { kms, caller: admin, idempotency };
    const input: CreateApiTokenInput = { name: 'signer', role: 'key_user', awsCredentials: true };
    const { tokenId } = await createApiToken(op, input);
    await expect(createApiToken(op, input)).rejects.toMatchObject({ code: 'CONFLICT', details: { tokenId } });
    expect(await getApiToken({ kms, caller: admin }, { tokenId })).not.toHaveProperty('awsCredentials');
  });

  test('is the same after a restart', async () => {
    const presented = signedBy(keyOf(await make(f)));
    const before = await accessKeyVerifier(f.kms).verify(presented);
    expect(await accessKeyVerifier(await f.restarted()).verify(presented)).toEqual(before);
  });

  test('is another one once the token was rotated, and the old one holds as long as the old token', async () => {
    const { kms, admin } = f;
    const old = await make(f);
    const { tokenId } = old;
    const next = await rotateApiToken({ kms, caller: admin }, { tokenId, overlapSeconds: 60 });
    expect(keyOf(next).secretAccessKey).not.toBe(keyOf(old).secretAccessKey);
    expect(keyOf(next).accessKeyId).toBe(accessKeyIdOf(next.tokenId));
    const verifier = accessKeyVerifier(kms);
    expect(await verifier.verify(signedBy(keyOf(next)))).toMatchObject({ subject: tokenId });
    expect(await verifier.verify(signedBy(keyOf(old)))).toMatchObject({ subject: tokenId });
    f.advance(61_000);
    await expect(async () => verifier.verify(signedBy(keyOf(old)))).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    expect(await verifier.verify(signedBy(keyOf(next)))).toMatchObject({ subject: tokenId });
    const bare = await make(f, { awsCredentials: false });
    const rotated = await rotateApiToken({ kms, caller: admin }, { tokenId: bare.tokenId });
    expect(rotated).not.toHaveProperty('awsCredentials');
  });
});

describe('a signature', () => {
  const refusal = async (presented: PresentedCredentials): Promise<unknown> => {
    try {
      await accessKeyVerifier(f.kms).verify(presented);
    } catch (error) {
      return error;
    }
    throw new Error('it was not refused');
  };

  test('takes the same work for an access key that there is not, and is asked no key of another', async () => {
    const bare = await make(f, { awsCredentials: false });
    for (const accessKeyId of [accessKeyIdOf(newId()), 'AKIDEXAMPLE', accessKeyIdOf(bare.tokenId)]) {
      const asked: (string | undefined)[] = [];
      const error = await refusal(signedBy({ accessKeyId, secretAccessKey: 'A'.repeat(43) }, asked));
      expect(error).toMatchObject({ code: 'UNAUTHORIZED' });
      expect(asked).toEqual([undefined]);
    }
  });

  test('says whose an ended token was to nobody but who can sign with it', async () => {
    const { kms, admin } = f;
    const made = await make(f);
    await revokeApiToken({ kms, caller: admin }, { tokenId: made.tokenId });
    expect(RefusedCredential.is(await refusal(signedBy(keyOf(made))))).toBe(true);
    const guessed = { ...keyOf(made), secretAccessKey: 'A'.repeat(43) };
    const error = await refusal(signedBy(guessed));
    expect(RefusedCredential.is(error)).toBe(false);
    expect(KmsError.is(error) && error.code).toBe('UNAUTHORIZED');
  });

  test('counts as held only where it is one, so that who tries others is slowed down', async () => {
    const made = await make(f);
    const verifier = accessKeyVerifier(f.kms);
    const right = signedBy(keyOf(made));
    await verifier.verify(right);
    expect(verifier.holds?.(right)).toBe(true);
    expect(verifier.holds?.(signedBy({ ...keyOf(made), secretAccessKey: 'A'.repeat(43) }))).toBe(false);
    expect(verifier.holds?.({ bearer: made.token })).toBe(false);
  });

  test('is not even looked at where somebody wrote the record into the store', async () => {
    const made = await make(f);
    const forged = newId();
    await f.store.transact({ kind: 'system' }, async (unit) => {
      const token = await unit.tokens.get(made.tokenId);
      if (token === undefined) throw new Error('there is no such token');
      await unit.tokens.insert({ ...token, tokenId: forged, hash: randomBytes(32) });
    });
    const asked: (string | undefined)[] = [];
    const presented = signedBy({ ...keyOf(made), accessKeyId: accessKeyIdOf(forged) }, asked);
    expect(await refusal(presented)).toMatchObject({ code: 'INTERNAL_ERROR' });
    expect(asked).toEqual([]);
  });
});

test('a signature that does not hold is refused, whatever certificate stands beside it', async () => {
  const { kms, admin } = f;
  const uri = 'spiffe://acme.example/api';
  await createIdentityBinding(
    { kms, caller: admin },
    { issuer: CERTIFICATE_ISSUER, match: { 'san.uri': uri }, role: 'key_user' },
  );
  const certificate = {
    uris: [uri],
    dnsNames: [],
    emails: [],
    fingerprint: randomBytes(32).toString('hex'),
    notBefore: Date.now() - 3_600_000,
    notAfter: Date.now() + 3_600_000,
  };
  const verifier = certificateVerifier(kms, [accessKeyVerifier(kms)]);
  const verify = async (presented: PresentedCredentials) => verifier.verify(presented);
  expect(await verify({ certificate })).toMatchObject({ credential: 'certificate' });
  const right = signedBy(keyOf(await make(f)));
  expect(await verify({ ...right, certificate })).toMatchObject({ credential: 'sigv4' });
  expect(verifier.holds?.({ ...right, certificate })).toBe(true);
  const wrong = signedBy({ ...keyOf(await make(f)), secretAccessKey: 'A'.repeat(43) });
  expect(verifier.holds?.({ ...wrong, certificate })).toBe(false);
  await expect(verify({ ...wrong, certificate })).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
});
