import { ALGORITHMS } from '@qnsp/kms-core/algorithms';
import { algorithmFacts, describeInInventory } from '@qnsp/kms-core/internal';
import { type InventoryKey, type InventoryPage, type KeyRecord, newId } from '@qnsp/kms-core/ports';
import { describe, expect, test } from 'vitest';
import { billOfMaterials, type BilledDeployment } from '../src/cyclonedx/bill-of-materials.ts';
import type { DeploymentProtocol } from '../src/cyclonedx/deployment-protocol.ts';
import { schemaErrors } from './cyclonedx-schema.ts';

interface Component {
  readonly name: string;
  readonly 'bom-ref': string;
  readonly cryptoProperties: {
    readonly assetType: string;
    readonly oid?: string;
    readonly algorithmProperties?: Readonly<Record<string, unknown>>;
    readonly relatedCryptoMaterialProperties?: Readonly<Record<string, unknown>> & { readonly algorithmRef: string };
    readonly protocolProperties?: { readonly cryptoRefArray?: readonly string[] };
  };
}

interface Bill {
  readonly components: readonly Component[];
  readonly compositions: readonly { readonly aggregate: string }[];
}

const NOW = new Date('2026-06-01T12:00:00.000Z');

const PROTOCOLS: readonly DeploymentProtocol[] = [
  {
    use: 'api',
    protocol: 'tls',
    version: '1.3',
    groups: ['X25519MLKEM768', 'SecP384r1MLKEM1024', 'P-256'],
    certificates: [
      {
        subject: 'CN=kms.example',
        issuer: 'CN=authority.example',
        notBefore: '2026-01-01T00:00:00.000Z',
        notAfter: '2026-12-31T00:00:00.000Z',
        serialNumber: '0123',
        publicKey: 'ec prime256v1',
        signature: 'ecdsa-with-SHA256',
      },
    ],
  },
  { use: 'database', protocol: 'tls', verification: 'verify-full' },
  { use: 'redis', protocol: 'none' },
  { use: 'hsm', protocol: 'pkcs11', provider: 'hsm-a', mechanisms: ['CKM_AES_GCM', 'CKM_ECDSA'] },
];

function recordOf(algorithm: string, change: Partial<KeyRecord> = {}): KeyRecord {
  const at = new Date('2026-01-31T12:00:00.000Z');
  const {
    purposes: [purpose],
  } = ALGORITHMS.find(({ id }) => id === algorithm) ?? { purposes: ['encryption'] as const };
  return {
    tenantId: newId(),
    keyId: newId(),
    name: null,
    algorithm,
    purpose,
    protectionLevel: 'software',
    state: 'active',
    stateBeforeDestroy: null,
    revocation: null,
    currentVersion: 1,
    versions: [
      {
        version: 1,
        state: 'active',
        algorithm,
        origin: 'generated',
        provider: 'software',
        material: { kind: 'sealed', tmkVersion: 1, sealed: new Uint8Array(1) },
        publicKey: null,
        createdAt: at,
        fields: {},
      },
    ],
    rotation: { periodSeconds: 7_776_000, auto: true, retainVersions: null, nextRotationAt: NOW },
    usageLimits: { maxOperations: 10, expiresAt: NOW },
    policy: null,
    metadata: {},
    parentKeyId: null,
    revision: 1,
    createdAt: at,
    updatedAt: at,
    destroyAt: null,
    fields: {},
    mac: { format: 1, tmkVersion: 1, tag: new Uint8Array(1) },
    ...change,
  };
}

const shown = (record: KeyRecord): InventoryKey =>
  describeInInventory(record, { counted: new Map([[0, 7]]), since: NOW, versions: [] }, NOW);

async function* pages(...all: readonly InventoryPage[]): AsyncGenerator<InventoryPage, void, void> {
  yield* all;
}

async function billOf(inventory: AsyncIterable<InventoryPage>, more: Partial<BilledDeployment> = {}): Promise<Bill> {
  const deployment: BilledDeployment = {
    version: '1.2.3',
    tenantId: newId(),
    timestamp: NOW,
    protocols: PROTOCOLS,
    module: { isFipsProvider: false },
    ...more,
  };
  let text = '';
  for await (const piece of billOfMaterials(deployment, inventory)) text += piece;
  const bill = JSON.parse(text) as Bill;
  expect(schemaErrors(bill)).toEqual([]);
  return bill;
}

describe('the bill of materials', () => {
  test('is a document of CycloneDX 1.6 with every algorithm, in each place', async () => {
    const items = ALGORITHMS.flatMap(({ id, purposes }) =>
      purposes.flatMap((purpose) =>
        (['software', 'hsm'] as const).map((protectionLevel) => shown(recordOf(id, { purpose, protectionLevel }))),
      ),
    );
    const { components } = await billOf(pages({ items }));
    const keys = components.filter(({ cryptoProperties }) => cryptoProperties.assetType === 'related-crypto-material');
    expect(keys).toHaveLength(items.length);
    const oids = new Set(components.flatMap(({ cryptoProperties: { oid } }) => oid ?? []));
    for (const algorithm of ALGORITHMS)
      for (const { oid } of algorithmFacts(algorithm).uses) if (oid !== undefined) expect(oids).toContain(oid);
  });

  test('refers only to what came before, and names nothing twice', async () => {
    const first = { items: ['aes-256-gcm', 'rsa-2048', 'aes-256-gcm'].map((id) => shown(recordOf(id))) };
    const second = { items: [shown(recordOf('rsa-2048', { purpose: 'encryption' })), shown(recordOf('rsa-2048'))] };
    const { components } = await billOf(pages(first, second));
    const known = new Set<string>();
    for (const { 'bom-ref': ref, cryptoProperties } of components) {
      const { relatedCryptoMaterialProperties: key, protocolProperties: protocol } = cryptoProperties;
      for (const needed of [...(key ? [key.algorithmRef] : []), ...(protocol?.cryptoRefArray ?? [])])
        expect(known).toContain(needed);
      expect(known).not.toContain(ref);
      known.add(ref);
    }
    expect(components.filter(({ name }) => name === 'RSASSA-PSS-2048')).toHaveLength(1);
    expect(components.filter(({ name }) => name === 'RSAES-OAEP-2048')).toHaveLength(1);
  });

  test('states what an algorithm is worth, and where it is computed', async () => {
    const items = [shown(recordOf('kyber-768')), shown(recordOf('ecdsa-p256', { protectionLevel: 'hsm' }))];
    const { components } = await billOf(pages({ items }), { protocols: [] });
    expect(components[0]).toMatchObject({
      name: 'ML-KEM-768',
      cryptoProperties: {
        oid: '2.16.840.1.101.3.4.4.2',
        algorithmProperties: {
          primitive: 'kem',
          parameterSetIdentifier: '768',
          executionEnvironment: 'software-plain-ram',
          certificationLevel: ['none'],
          cryptoFunctions: ['keygen', 'encapsulate', 'decapsulate'],
          classicalSecurityLevel: 192,
          nistQuantumSecurityLevel: 3,
        },
      },
    });
    expect(components[2]?.cryptoProperties.algorithmProperties).toMatchObject({
      curve: 'P-256',
      executionEnvironment: 'hardware',
      certificationLevel: ['unknown'],
      nistQuantumSecurityLevel: 0,
    });
    const inFips = await billOf(pages({ items }), { protocols: [], module: { isFipsProvider: true } });
    // The service does not know what was validated.
    expect(inFips.components[0]?.cryptoProperties.algorithmProperties).toMatchObject({
      certificationLevel: ['unknown'],
    });
  });

  test.each([
    ['active', {}, 'active'],
    ['suspended', { state: 'suspended' }, 'suspended'],
    ['awaiting destruction', { state: 'deactivated' }, 'deactivated'],
    ['destroyed', { state: 'destroyed' }, 'destroyed'],
    ['revoked', { state: 'revoked', revocation: { reason: 'end_of_life', at: NOW } }, 'deactivated'],
    ['compromised', { state: 'revoked', revocation: { reason: 'suspected_compromise', at: NOW } }, 'compromised'],
  ] as const)('says that a key is %s', async (_, change, state) => {
    const { components } = await billOf(pages({ items: [shown(recordOf('aes-256-gcm', change))] }));
    expect(components.at(-1)?.cryptoProperties.relatedCryptoMaterialProperties).toMatchObject({ state });
  });

  test('knows nothing of the strength of an imported key that may be of any length', async () => {
    const record = recordOf('hmac-sha256');
    const versions = record.versions.map((version) => ({ ...version, origin: 'imported' as const }));
    const { components } = await billOf(pages({ items: [shown({ ...record, versions })] }));
    expect(components.at(-1)?.cryptoProperties.relatedCryptoMaterialProperties).not.toHaveProperty('size');
    const generated = await billOf(pages({ items: [shown(record)] }));
    expect(generated.components.at(-1)?.cryptoProperties.relatedCryptoMaterialProperties).toMatchObject({ size: 256 });
  });

  test('says whether something is missing', async () => {
    const items = [shown(recordOf('aes-256-gcm'))];
    expect((await billOf(pages({ items }))).compositions).toEqual([{ aggregate: 'complete' }]);
    const others = [shown(recordOf('aes-256-gcm'))];
    const partly = await billOf(pages({ items }, { items: others, warnings: ['a key is missing'] }), {
      tenantId: null,
    });
    expect(partly.compositions).toEqual([{ aggregate: 'incomplete' }]);
    expect((await billOf(pages({ items: [] }), { protocols: [] })).components).toEqual([]);
  });
});
