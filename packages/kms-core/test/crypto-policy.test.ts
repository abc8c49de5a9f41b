import { globSync, readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  algorithmById,
  ALGORITHMS,
  createKey,
  createMigration,
  decrypt,
  encrypt,
  getInventory,
  getKey,
  type Kms,
  listKeys,
  type Operation,
  PolicyVerdicts,
  readCryptoPolicy,
  resolveAlgorithm,
  rotateKey,
  upgradeKey,
} from '../src/exports/internal.ts';
import { type Fixture, makeFixture } from './kms-fixture.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const ALL = { create: 'allowed', protect: 'allowed', process: 'allowed', source: 'section 1' };

const rule = (algorithms: readonly string[], ruling: object) => ({ ...ALL, ...ruling, algorithms });
const policy = (...rules: readonly object[]) => ({
  name: 'house rules',
  sources: [{ document: 'House rules', version: '1' }],
  rules,
  otherwise: ALL,
});

describe('a crypto policy', () => {
  test('names algorithms in any spelling, and days in UTC up to their end', () => {
    const { rules, otherwise, name } = readCryptoPolicy(
      policy(rule(['RSA_2048', 'ml-kem-768'], { protect: { until: '2030-12-31' } })),
    );
    expect(name).toBe('house rules');
    expect([...rules.keys()]).toEqual(['rsa-2048', 'kyber-768']);
    expect(rules.get('rsa-2048')?.protect).toEqual({ until: Date.parse('2031-01-01T00:00:00Z') });
    expect(otherwise).toEqual(ALL);
  });

  test.each([
    ['a text', 'policy', 'policy: must be an object'],
    ['a list', [], 'policy: must be an object'],
    ['an unknown member', { ...policy(), rule: [] }, '"rule"'],
    ['no name', { ...policy(), name: ' ' }, 'name: must be a text'],
    ['no rule for the others', { ...policy(), otherwise: undefined }, 'otherwise: must be an object'],
    ['no ruling', policy(rule(['RSA-2048'], { create: undefined })), 'rules[0].create: must be "allowed"'],
    ['an unknown ruling', policy(rule(['RSA-2048'], { create: 'forbidden' })), 'rules[0].create: must be "allowed"'],
    ['an unknown member of a rule', policy(rule(['RSA-2048'], { decrypt: 'allowed' })), '"decrypt"'],
    ['an unknown algorithm', policy(rule(['RSA-1024'], {})), 'rules[0].algorithms[0]: "RSA-1024" is no algorithm'],
    ['no algorithm', policy(rule([], {})), 'rules[0].algorithms: must name'],
    [
      'an algorithm twice',
      policy(rule(['RSA-2048'], {}), rule(['rsa2048'], {})),
      'rules[1].algorithms[0]: is named by two',
    ],
    [
      'a day that no month has',
      policy(rule(['RSA-2048'], { create: { until: '2030-02-30' } })),
      'create.until: must be a day',
    ],
    [
      'a time',
      policy(rule(['RSA-2048'], { create: { until: '2030-02-01T00:00:00Z' } })),
      'create.until: must be a day',
    ],
    ['a source without its version', { ...policy(), sources: [{ document: 'x' }] }, 'sources[0].version'],
  ])('that has %s is refused', (_, document, message) => {
    expect(() => readCryptoPolicy(document)).toThrow(message);
  });

  test('says the same from one date to the next, and something else from then on, whichever way the clock goes', () => {
    const verdicts = new PolicyVerdicts(
      readCryptoPolicy(
        policy(rule(['RSA-2048'], { create: { until: '2029-12-31' }, protect: { until: '2030-12-31' } })),
      ),
    );
    const rsa = algorithmById('rsa-2048');
    const kinds = (instant: string) =>
      (['create', 'protect', 'process'] as const).map((act) => verdicts.verdict(rsa, act, Date.parse(instant)).kind);
    expect(kinds('2029-12-31T23:59:59.999Z')).toEqual(['discouraged', 'discouraged', 'allowed']);
    expect(kinds('2030-01-01T00:00:00Z')).toEqual(['refused', 'discouraged', 'allowed']);
    expect(kinds('2031-01-01T00:00:00Z')).toEqual(['refused', 'refused', 'allowed']);
    expect(kinds('2029-01-01T00:00:00Z')).toEqual(['discouraged', 'discouraged', 'allowed']);
    expect(verdicts.verdict(algorithmById('ed25519'), 'create', 0)).toEqual({ kind: 'allowed' });
  });

  test('asks for no time where nothing depends on it', () => {
    const verdicts = new PolicyVerdicts(
      readCryptoPolicy(policy(rule(['RSA-2048'], { protect: { until: '2030-12-31' } }))),
    );
    const clock = () => expect.fail('asked for the time');
    verdicts.require(algorithmById('aes-256-gcm'), 'protect', clock);
    verdicts.require(algorithmById('rsa-2048'), 'process', clock);
    expect(() => verdicts.require(algorithmById('rsa-2048'), 'protect', clock)).toThrow('asked for the time');
  });

  test('of each file that is shipped is one, and judges every algorithm', () => {
    const files = globSync('*.json', { cwd: new URL('../../../deploy/crypto-policies', import.meta.url).pathname });
    expect(files.toSorted()).toEqual(['bsi-tr-02102-1.json', 'cnsa-2.0.json', 'permissive.json']);
    const violating = (file: string, instant: string) => {
      const text = readFileSync(new URL(`../../../deploy/crypto-policies/${file}`, import.meta.url), 'utf8');
      const verdicts = new PolicyVerdicts(readCryptoPolicy(JSON.parse(text)));
      const now = Date.parse(instant);
      return ALGORITHMS.filter((each) => verdicts.verdict(each, 'protect', now).kind === 'refused').map(({ id }) => id);
    };
    expect(violating('permissive.json', '2100-01-01')).toEqual([]);
    expect(violating('bsi-tr-02102-1.json', '2031-12-31')).toEqual(['rsa-2048']);
    expect(violating('bsi-tr-02102-1.json', '2032-01-01')).toContain('rsa-4096');
    expect(violating('bsi-tr-02102-1.json', '2032-01-01')).not.toContain('ecdsa-p256');
    const allowed = (instant: string) => {
      const refused = violating('cnsa-2.0.json', instant);
      return ALGORITHMS.map(({ id }) => id).filter((id) => !refused.includes(id));
    };
    const suite = ['aes-256-gcm', 'aes-256-cbc', 'hmac-sha384', 'hmac-sha512', 'kyber-1024', 'dilithium-5'];
    expect(allowed('2032-01-01')).toEqual(suite);
    expect(allowed('2031-12-31').filter((id) => !suite.includes(id))).toEqual(['ecdsa-p384', 'rsa-3072', 'rsa-4096']);
  });
});

describe('a service with a crypto policy', () => {
  let f: Fixture;
  let op: Operation;
  let verdicts: PolicyVerdicts;

  function underPolicy(...rules: readonly object[]): void {
    verdicts = new PolicyVerdicts(readCryptoPolicy(policy(...rules)));
    const kms: Kms = { ...f.kms, settings: { ...f.kms.settings, cryptoPolicy: verdicts } };
    op = { kms, caller: f.admin };
  }

  const plaintext = Buffer.from('hello');
  const inDays = (days: number) => new Date(f.kms.clock() + days * DAY_MS).toISOString().slice(0, 10);
  beforeEach(async () => {
    f = await makeFixture();
    op = { kms: f.kms, caller: f.admin };
  });

  test('warns of what will be refused, counts it, and refuses it from its date on', async () => {
    underPolicy(rule(['AES-128-GCM'], { create: { until: inDays(1) }, protect: { until: inDays(3) } }));
    const { keyId, warnings } = await createKey(op, { algorithm: resolveAlgorithm('AES-128-GCM') });
    expect(warnings).toEqual([
      expect.stringMatching(
        /^The crypto policy house rules refuses making keys with AES-128-GCM from .* \(section 1\)\.$/,
      ),
      expect.stringMatching(/^The crypto policy house rules refuses protecting anything new with AES-128-GCM from /),
    ]);
    const { ciphertext } = await encrypt(op, { keyId, plaintext });
    await rotateKey(op, { keyId });
    f.advance(2 * DAY_MS);
    const refused = { code: 'FORBIDDEN', details: { deniedBy: 'crypto-policy', policy: 'house rules' } };
    await expect(createKey(op, { algorithm: resolveAlgorithm('AES-128-GCM') })).rejects.toMatchObject(refused);
    await expect(rotateKey(op, { keyId })).rejects.toMatchObject(refused);
    await encrypt(op, { keyId, plaintext });
    f.advance(2 * DAY_MS);
    await expect((async () => encrypt(op, { keyId, plaintext }))()).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining('refuses protecting anything new with AES-128-GCM since '),
    });
    expect(Buffer.from((await decrypt(op, { ciphertext })).plaintext)).toEqual(plaintext);
    // What is allowed is not counted, and a key of another algorithm not touched.
    const other = await createKey(op, {});
    expect(other.warnings).toBeUndefined();
    expect(verdicts.counts.map(({ act, verdict, count }) => [act, verdict, count])).toEqual([
      ['create', 'discouraged', 2],
      ['protect', 'discouraged', 2],
      ['create', 'refused', 2],
      ['protect', 'refused', 1],
    ]);
  });

  test('refuses what it always refuses, whatever the key is', async () => {
    const { keyId } = await createKey({ kms: f.kms, caller: f.admin }, {});
    const { ciphertext } = await encrypt({ kms: f.kms, caller: f.admin }, { keyId, plaintext });
    underPolicy(rule(['AES-256-GCM'], { create: 'refused', protect: 'refused', process: 'refused' }));
    await expect(createKey(op, {})).rejects.toMatchObject({
      code: 'FORBIDDEN',
      details: { act: 'create', since: null },
    });
    await expect((async () => encrypt(op, { keyId, plaintext }))()).rejects.toMatchObject({
      details: { act: 'protect' },
    });
    await expect((async () => decrypt(op, { ciphertext }))()).rejects.toMatchObject({ details: { act: 'process' } });
  });

  test('refuses a migration to what it refuses, and leaves each key as it is that would get it', async () => {
    const { keyId } = await createKey(op, { algorithm: resolveAlgorithm('Ed25519') });
    underPolicy(rule(['ML-DSA-65'], { create: 'refused' }));
    await expect(createMigration(op, { target: algorithmById('dilithium-3'), dryRun: true })).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
    const { plan } = await createMigration(op, { target: 'quantum-safe', dryRun: true });
    expect(plan?.items).toMatchObject([{ keyId, action: 'refuse', refusal: 'crypto-policy' }]);
  });

  test('shows in each answer with the key, and in the inventory, what violates it', async () => {
    underPolicy(rule(['RSA-2048'], { protect: 'discouraged', process: { until: '2099-12-31' } }));
    const { keyId } = await createKey(op, { algorithm: resolveAlgorithm('RSA-2048'), purpose: 'signing' });
    const expected = [
      expect.stringContaining('discourages protecting anything new with RSA-2048 (section 1)'),
      expect.stringContaining('refuses reading or verifying anything with RSA-2048 from 2100-01-01T00:00:00.000Z on'),
    ];
    expect((await getKey(op, { keyId })).warnings).toEqual(expected);
    expect((await listKeys(op, {})).items[0]?.warnings).toEqual(expected);
    const violationsOf = async () => (await getInventory(op, {})).items[0]?.policyViolations;
    const source = 'section 1';
    const process = {
      algorithm: 'rsa-2048',
      act: 'process',
      verdict: 'discouraged',
      refusedFrom: '2100-01-01T00:00:00.000Z',
      source,
    };
    expect(await violationsOf()).toEqual([
      { algorithm: 'rsa-2048', act: 'protect', verdict: 'discouraged', refusedFrom: null, source },
      process,
    ]);
    // A superseded version only reads.
    const upgraded = await upgradeKey(op, { keyId });
    expect(upgraded.warnings).toEqual(expected.slice(1));
    expect(await violationsOf()).toEqual([process]);
  });
});
