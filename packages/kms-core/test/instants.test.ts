import { beforeAll, describe, expect, it } from 'vitest';
import { BOUNDS, createApiToken, createKey, listKeys, newId, updateKey } from '../src/exports/internal.ts';
import { type Fixture, makeFixture } from './kms-fixture.ts';

let f: Fixture;
beforeAll(async () => {
  f = await makeFixture({ frozenClock: true });
});

const refused = (path: string) => ({
  code: 'BAD_REQUEST',
  details: { issues: [{ path, reason: expect.any(String) }] },
});

describe('an instant that no record can hold', () => {
  it.each([
    new Date(BOUNDS.instant.earliest - 1),
    new Date(BOUNDS.instant.latest + 1),
    new Date(8.64e15),
    new Date(-8.64e15),
    new Date(Number.NaN),
  ])('%s is refused wherever one goes in', async (at) => {
    const { keyId } = await createKey({ kms: f.kms, caller: f.admin }, {});
    const usageLimits = { expiresAt: at };
    await expect(createKey({ kms: f.kms, caller: f.admin }, { usageLimits })).rejects.toMatchObject(
      refused('usageLimits.expiresAt'),
    );
    await expect(updateKey({ kms: f.kms, caller: f.admin }, { keyId, usageLimits })).rejects.toMatchObject(
      refused('usageLimits.expiresAt'),
    );
    await expect(
      createApiToken({ kms: f.kms, caller: f.admin }, { name: 'a', role: 'auditor', expiresAt: at }),
    ).rejects.toMatchObject(refused('expiresAt'));
  });
});

describe('the expiry of a new token', () => {
  const expiring = (milliseconds: number) =>
    createApiToken(
      { kms: f.kms, caller: f.admin },
      {
        name: 'a',
        role: 'auditor',
        expiresAt: new Date(f.kms.clock() + milliseconds),
      },
    );

  it('lies ahead', async () => {
    await expect(expiring(-1)).rejects.toMatchObject(refused('expiresAt'));
    await expect(expiring(0)).rejects.toMatchObject(refused('expiresAt'));
    await expect(expiring(1)).resolves.toMatchObject({ token: expect.any(String) });
  });
});

describe('a cursor that no list answered', () => {
  it.each([
    ['a year that no store knows', `${'9'.repeat(15)}.${newId()}`],
    ['the first millisecond after the year 9999', `${BOUNDS.instant.latest + 1}.${newId()}`],
    ['more digits than a number has', `${'9'.repeat(400)}.${newId()}`],
    ['a time before 1970', `-1.${newId()}`],
    ['a fraction', `1.5.${newId()}`],
    ['an exponent', `1e3.${newId()}`],
    ['no number', `NaN.${newId()}`],
    ['no id', '1'],
    ['another id', '1.key'],
    ['nothing', ''],
    ['a surplus part', `1.${newId()}.1`],
  ])('is refused: %s', async (_what, text) => {
    const cursor = Buffer.from(text).toString('base64url');
    await expect(listKeys({ kms: f.kms, caller: f.admin }, { cursor })).rejects.toMatchObject(refused('cursor'));
  });
});
