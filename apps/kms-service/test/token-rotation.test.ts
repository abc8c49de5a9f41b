import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Answer, type LocalService, send, startLocalService } from './local-service.ts';

const TOKENS = '/kms/v1/tokens';
let local: LocalService;
beforeAll(async () => {
  local = await startLocalService();
});
afterAll(() => local.end());

interface Made {
  readonly token: string;
  readonly tokenId: string;
}

const by = ({ token }: Pick<Made, 'token'>, path: string, body: object = {}): Promise<Answer> =>
  send(`${local.service.baseUrl}${TOKENS}${path}`, 'POST', token, body);
const rotate = (caller: Pick<Made, 'token'>, { tokenId }: Pick<Made, 'tokenId'>, overlapSeconds = 60) =>
  by(caller, `/${tokenId}/rotate`, { overlapSeconds });

function madeBy({ status, body }: Answer): Made {
  expect(status).toBe(201);
  return { token: String(body['token']), tokenId: String(body['tokenId']) };
}
const create = async (caller: Pick<Made, 'token'>) =>
  madeBy(await by(caller, '', { name: 'rotated', role: 'tenant_admin' }));
const isTaken = async ({ token }: Made): Promise<boolean> =>
  (await send(`${local.service.baseUrl}${TOKENS}/self`, 'GET', token)).status === 200;

test('a token in its overlap gets at nothing that stays after it', async () => {
  const first = await create({ token: local.apiToken });
  const second = madeBy(await rotate(first, first));
  const { overlapEndsAt } = (await local.call('GET', `${TOKENS}/${first.tokenId}`)).body;
  expect((await by(first, '', { name: 'stays', role: 'tenant_admin' })).body['expiresAt']).toBe(overlapEndsAt);
  expect(await rotate(first, second, 0)).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
  expect(await isTaken(second)).toBe(true);
});

test('the cascade of a stolen token ends all that it got by rotation', async () => {
  const top = await create({ token: local.apiToken });
  const [stolen, sister] = [await create(top), await create(top)];
  const child = await create(stolen);
  for (const other of [top, sister])
    expect(await rotate(stolen, other)).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
  const gained = madeBy(await rotate(stolen, child));
  const ended = await local.call('POST', `${TOKENS}/${stolen.tokenId}/revoke`, { cascade: true });
  expect(ended.body).toMatchObject({ revokedTokens: 3 });
  expect(await Promise.all([stolen, child, gained, top, sister].map(isTaken))).toEqual([
    false,
    false,
    false,
    true,
    true,
  ]);
});
