import { randomBytes } from 'node:crypto';
import { createDatabase, startService } from '@qnsp/test-harness';
import type { RootRecord } from '@qnsp/kms-core/ports';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { OpenedRoots } from '../src/roots/open-roots.ts';
import { openRoots } from '../src/roots/open-roots.ts';
import { send } from './local-service.ts';
import { makeTokens, PIN, type Tokens } from './two-tokens.ts';

const LABELS = ['east', 'west'];

let tokens: Tokens;
const opened: OpenedRoots[] = [];

beforeEach(async () => {
  tokens = await makeTokens(LABELS);
  process.env['SOFTHSM2_CONF'] = tokens.env['SOFTHSM2_CONF'];
});
afterEach(async () => {
  delete process.env['SOFTHSM2_CONF'];
  await Promise.all(opened.splice(0).map((roots) => roots.close()));
  await tokens.remove();
});

const byLabel = (label: string) => ({ tokenLabel: label });
const byIndex = (slot: number) => ({ slot });
/** A busy machine takes its time. */
const TIMEOUT_MS = 10_000;

interface Entry {
  readonly slot?: number;
  readonly tokenLabel?: string;
  readonly id?: string;
}

/** What the configuration makes of entries, with the names by place that those without an id get. */
async function openEntries(entries: readonly Entry[], known: readonly RootRecord[]): Promise<OpenedRoots> {
  const hsms = entries.map((entry, index) => ({
    variable: `LIST[${index}]`,
    hsm: {
      modulePath: tokens.modulePath,
      pin: PIN,
      timeoutMs: TIMEOUT_MS,
      id: index === 0 ? 'hsm' : `hsm-${index + 1}`,
      ...entry,
    },
  }));
  const roots = await openRoots({ root: null, hsms }, known);
  opened.push(roots);
  return roots;
}

/** The first start with these entries: makes the roots, and says how the database knows them. */
async function firstStart(entries: readonly Entry[]): Promise<{ known: RootRecord[]; labels: string[] }> {
  const { providers, hsms, makeRoot } = await openEntries(entries, []);
  const known: RootRecord[] = [];
  for (const provider of providers) {
    await makeRoot(provider);
    known.push({ providerId: provider.id, checkValue: await provider.checkValue() });
  }
  const labels = hsms.map((hsm) => hsm.status().token?.label ?? '');
  await Promise.all(opened.splice(0).map((roots) => roots.close()));
  return { known, labels };
}

async function rootsOf({ providers }: OpenedRoots): Promise<unknown[]> {
  return Promise.all(
    providers.map(async (provider) => ({
      providerId: provider.id,
      checkValue: await provider.checkValue().catch(() => 'away'),
    })),
  );
}

const awayOf = ({ providerId }: RootRecord) => ({ providerId, checkValue: 'away' });

describe('an HSM is known by its root, not by its place:', { timeout: 600_000 }, () => {
  test.for([
    ['entries without ids swapped', [byLabel('east'), byLabel('west')], [byLabel('west'), byLabel('east')]],
    ['slots by index swapped', [byIndex(0), byIndex(1)], [byIndex(1), byIndex(0)]],
    [
      'ids that were given to the other one',
      [
        { ...byLabel('east'), id: 'a' },
        { ...byLabel('west'), id: 'b' },
      ],
      [
        { ...byLabel('east'), id: 'b' },
        { ...byLabel('west'), id: 'a' },
      ],
    ],
    [
      'ids that are no longer given',
      [
        { ...byLabel('east'), id: 'a' },
        { ...byLabel('west'), id: 'b' },
      ],
      [byLabel('east'), byLabel('west')],
    ],
  ] as const)('%s', async ([, before, after]) => {
    const { known } = await firstStart(before);
    const roots = await openEntries(after, known);
    expect(new Set(await rootsOf(roots))).toEqual(new Set(known));
    const names = (await rootsOf(roots)) as RootRecord[];
    expect(names.map(({ providerId }) => roots.variableOf(providerId))).toEqual(['LIST[0]', 'LIST[1]']);
  });

  test('a token of one entry is not another new one for the next', async () => {
    const { known } = await firstStart([byLabel('east')]);
    const roots = await openEntries([byLabel('west'), byLabel('east')], known);
    expect(roots.configured.map(({ config }) => [config.tokenLabel, config.id])).toEqual([
      ['west', 'hsm-2'],
      ['east', 'hsm'],
    ]);
  });

  test.for([0, 1])('slots by index with the token at index %i gone, which comes back', async (index) => {
    const { known, labels } = await firstStart([byIndex(0), byIndex(1)]);
    const [gone, left] = [known[index], known[1 - index]];
    if (gone === undefined || left === undefined) throw new Error('there are two roots');
    tokens.takeAway(labels[index] ?? '');
    const roots = await openEntries([byIndex(0), byIndex(1)], known);
    expect(new Set(await rootsOf(roots))).toEqual(new Set([awayOf(gone), left]));
    tokens.bringBack(labels[index] ?? '');
    await expect
      .poll(async () => new Set(await rootsOf(roots)), { timeout: 30_000, interval: 500 })
      .toEqual(new Set(known));
  });
});

test('the service starts on whatever good token is there, and finds its keys', { timeout: 600_000 }, async () => {
  const database = await createDatabase();
  const platform = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
  const env = (entries: readonly Entry[]) => ({
    ...tokens.env,
    DATABASE_URL: database.url,
    KMS_PLATFORM_TOKEN: platform,
    KMS_JOB_INTERVAL_MS: '500',
    KMS_PKCS11_CONFIGS_JSON: JSON.stringify(
      entries.map((entry) => ({ modulePath: tokens.modulePath, pin: PIN, timeoutMs: TIMEOUT_MS, ...entry })),
    ),
  });
  const first = await startService({ env: env([byIndex(0), byIndex(1)]) });
  const call = (baseUrl: string, method: string, path: string, body?: unknown, tenantId = '') =>
    send(`${baseUrl}${path}`, method, platform, body, tenantId === '' ? {} : { 'x-qnsp-tenant': tenantId });
  const tenantId = String((await call(first.baseUrl, 'POST', '/kms/v1/tenants', { name: 'acme' })).body['tenantId']);
  const resident = { protectionLevel: 'hsm' };
  const { body: key } = await call(first.baseUrl, 'POST', '/kms/v1/keys', resident, tenantId);
  const use = { keyId: key['keyId'], plaintext: 'aGk=' };
  const { body: sealed } = await call(first.baseUrl, 'POST', '/kms/v1/encrypt', use, tenantId);
  await first.stop();

  const second = await startService({ env: env([byIndex(1), byIndex(0)]) });
  try {
    const asked = { ciphertext: sealed['ciphertext'] };
    expect(await call(second.baseUrl, 'POST', '/kms/v1/decrypt', asked, tenantId)).toMatchObject({
      status: 200,
      body: { plaintext: 'aGk=' },
    });
    expect((await call(second.baseUrl, 'GET', '/health')).body).toMatchObject({ status: 'ok' });
  } finally {
    await second.stop();
    await database.drop();
  }
});
