import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXIT } from '../src/terminal/exit-codes.ts';
import { callKms, type LocalKms, runKms, startLocalKms } from './local-kms.ts';

const PLATFORM_TOKEN = `qnsp_pqc_${'p'.repeat(43)}`;
/** More than one page of the service has. */
const KEYS = 205;

let kms: LocalKms;
beforeAll(async () => {
  kms = await startLocalKms({ KMS_PLATFORM_TOKEN: PLATFORM_TOKEN });
  const made = await callKms(kms.environment, ['keys', 'create', '--algorithm', 'ML-DSA-65', '--name', 'first']);
  expect(made.code).toBe(EXIT.done);
  await Promise.all(
    Array.from({ length: KEYS - 1 }, async (_, number) => {
      const { code } = await callKms(kms.environment, ['keys', 'create', '--name', `key ${number}`]);
      expect(code).toBe(EXIT.done);
    }),
  );
});
afterAll(() => kms.end());

const piped = (args: readonly string[], environment = kms.environment) => runKms(environment, args);

describe('kms inventory', () => {
  test('writes a table of all versions, with its titles once', async () => {
    const { code, out, err } = await piped(['inventory']);
    expect([code, err]).toEqual([EXIT.done, '']);
    const [titles = '', ...rows] = out.trimEnd().split('\n');
    expect(titles.split(/ {2,}/)).toEqual(
      'KEY,NAME,VERSION,STATE,ALGORITHM,CATEGORY,QUANTUM-SAFE,FIPS,PROTECTION,AGE IN DAYS,LAST USED,COUNTED USES,NEXT ROTATION,POLICY,TENANT'.split(
        ',',
      ),
    );
    expect(rows).toHaveLength(KEYS);
    // The oldest key comes last.
    expect(rows.at(-1)).toMatch(/first\s+1\s+active\s+ML-DSA-65\s+3\s+yes\s+yes\s+software\s+0\s+-\s+-/);
  });

  test.each([
    ['--format', 'json'],
    ['--output', 'json'],
  ])('writes one JSON document of all pages with %s %s', async (...args) => {
    const { code, out } = await piped(['inventory', ...args]);
    expect(code).toBe(EXIT.done);
    const { protocols, items, warnings } = JSON.parse(out) as Readonly<Record<string, readonly { name?: string }[]>>;
    expect(items).toHaveLength(KEYS);
    expect(items?.at(-1)).toMatchObject({ name: 'first', versions: [{ nistCategory: 3 }] });
    expect({ protocols, warnings }).toEqual({ protocols: [{ use: 'api', protocol: 'none' }], warnings: [] });
  });

  test('writes a bill of materials, and for the platform that of all tenants and of what is behind the service', async () => {
    const { code, out } = await piped(['inventory', '--format', 'cyclonedx']);
    expect(code).toBe(EXIT.done);
    const bill = JSON.parse(out) as {
      specVersion: string;
      components: readonly { cryptoProperties: { assetType: string } }[];
    };
    expect(bill.specVersion).toBe('1.6');
    const keys = bill.components.filter(
      ({ cryptoProperties }) => cryptoProperties.assetType === 'related-crypto-material',
    );
    expect(keys).toHaveLength(KEYS);
    const platform = { KMS_URL: kms.service.baseUrl, KMS_TOKEN: PLATFORM_TOKEN };
    const whole = JSON.parse((await piped(['inventory', '--format', 'json'], platform)).out) as {
      items: readonly unknown[];
      protocols: readonly { use: string }[];
    };
    expect(whole.items).toHaveLength(KEYS);
    expect(whole.protocols.map(({ use }) => use)).toEqual(['api', 'database']);
  });
});
