import { ALL_ROUTES } from '@qnsp/kms-contract';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LocalService, startLocalService } from './local-service.ts';

const DATA = Buffer.from('data').toString('base64');
let local: LocalService;
beforeAll(async () => {
  local = await startLocalService();
});
afterAll(() => local.end());

async function newKey(body: object = {}): Promise<string> {
  return `/kms/v1/keys/${String((await local.call('POST', '/kms/v1/keys', body)).body['keyId'])}`;
}

/** Names of fields that hold a secret or what an application keeps secret. */
const SECRETS = [
  'token',
  'plaintext',
  'dataKey',
  'sharedSecret',
  'derivedKey',
  'random',
  'importToken',
  'activationToken',
];

describe('a call that is repeated under its Idempotency-Key', () => {
  test('gets its first answer again when that has no secret', async () => {
    const headers = { 'idempotency-key': 'create a key' };
    const first = await local.call('POST', '/kms/v1/keys', { name: 'once' }, headers);
    expect((await local.call('POST', '/kms/v1/keys', { name: 'once' }, headers)).body).toEqual(first.body);
  });

  test('does not get a token again, but its name', async () => {
    const headers = { 'idempotency-key': 'make a token' };
    const body = { name: 'for an application', role: 'key_user' };
    const first = await local.call('POST', '/kms/v1/tokens', body, headers);
    expect(first).toMatchObject({ status: 201, body: { token: expect.stringMatching(/^qnsp_pqc_/) } });
    for (let repeated = 0; repeated < 2; repeated += 1) {
      const again = await local.call('POST', '/kms/v1/tokens', body, headers);
      expect(again).toMatchObject({
        status: 409,
        body: {
          code: 'CONFLICT',
          message: expect.stringContaining('shown once'),
          details: { tokenId: first.body['tokenId'] },
        },
      });
      expect(JSON.stringify(again.body)).not.toContain(String(first.body['token']));
    }
    const { items } = (await local.call('GET', '/kms/v1/tokens')).body as { items: { name: string }[] };
    expect(items.filter(({ name }) => name === body.name)).toHaveLength(1);
  });

  test('has no secret that could be kept, whatever the route', () => {
    const carrying = ALL_ROUTES.filter(({ mutating }) => mutating).filter(({ response }) =>
      SECRETS.some((name) =>
        JSON.stringify(response.toJSONSchema({ io: 'input', unrepresentable: 'any' })).includes(`"${name}":`),
      ),
    );
    expect(carrying.map(({ operationId }) => operationId)).toEqual(['createToken', 'rotateToken']);
  });

  test('is done anew when it uses a key: it counts each time, and nothing of it is kept', async () => {
    const headers = { 'idempotency-key': 'use a key' };
    const limited = await newKey({ algorithm: 'ed25519', usageLimits: { maxOperations: 2 } });
    const sign = () => local.call('POST', `${limited}/sign`, { data: DATA }, headers);
    expect([(await sign()).status, (await sign()).status, (await sign()).status]).toEqual([200, 200, 422]);
    const cipher = await newKey();
    const wrap = () => local.call('POST', `${cipher}/wrap`, { dataKey: DATA }, headers);
    const [one, two] = [await wrap(), await wrap()];
    expect(one.body['wrappedKey']).not.toBe(two.body['wrappedKey']);
    for (const { body } of [one, two])
      expect(
        (await local.call('POST', `${cipher}/unwrap`, { wrappedKey: body['wrappedKey'] }, headers)).body,
      ).toMatchObject({
        dataKey: DATA,
      });
    const dataKey = () => local.call('POST', `${cipher}/data-key`, {}, headers);
    expect((await dataKey()).body['dataKey']).not.toBe((await dataKey()).body['dataKey']);
  });
});

describe('the text of an Idempotency-Key', () => {
  test.each(['order 42', 'x'.repeat(255), '{"order": 42}', 'für Zoë', '注文 ✓'])('may be %j', async (key) => {
    const headers = { 'idempotency-key': Buffer.from(key, 'utf8').toString('latin1') };
    const first = await local.call('POST', '/kms/v1/keys', {}, headers);
    expect(first.status).toBe(201);
    expect((await local.call('POST', '/kms/v1/keys', {}, headers)).body['keyId']).toBe(first.body['keyId']);
  });

  test.each(['x'.repeat(256), 'a\tb'])('may not be %j', async (key) => {
    const answer = await local.call('POST', '/kms/v1/keys', {}, { 'idempotency-key': key });
    expect(answer).toMatchObject({ status: 400, body: { details: { issues: [{ path: 'Idempotency-Key' }] } } });
  });
});
