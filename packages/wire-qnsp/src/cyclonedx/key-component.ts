import type { Algorithm } from '@qnsp/kms-core';
import type { AlgorithmUse } from '@qnsp/kms-core/internal';
import type { InventoryKey, InventoryVersion } from '@qnsp/kms-core/ports';
import { algorithmRef } from './algorithm-component.ts';
import { type CryptoAsset, propertiesOf } from './crypto-asset.ts';

/** The states of key material in CycloneDX, which are those of SP 800-57 Part 1 Rev. 5, section 7. */
type MaterialState = 'active' | 'suspended' | 'deactivated' | 'compromised' | 'destroyed';

/** A version of a key. */
export function keyComponent(
  key: InventoryKey,
  version: InventoryVersion,
  algorithm: Algorithm,
  use: AlgorithmUse,
): CryptoAsset {
  const { form } = algorithm;
  const size = version.nistCategory === null ? undefined : bitsOf(algorithm);
  return {
    type: 'cryptographic-asset',
    'bom-ref': `key/${key.tenantId}/${key.keyId}/${version.version}`,
    name: key.name ?? key.keyId,
    version: String(version.version),
    cryptoProperties: {
      assetType: 'related-crypto-material',
      relatedCryptoMaterialProperties: {
        type: form.kind === 'secret' ? 'secret-key' : 'private-key',
        id: key.keyId,
        state: stateOf(key, version),
        algorithmRef: algorithmRef(algorithm, use, key.protectionLevel),
        creationDate: version.createdAt,
        activationDate: version.createdAt,
        ...(key.expiresAt === null ? {} : { expirationDate: key.expiresAt }),
        ...(size === undefined ? {} : { size }),
        securedBy: { mechanism: key.protectionLevel === 'hsm' ? 'HSM' : 'Software' },
      },
    },
    properties: [
      ...(key.policyViolations ?? []).map(({ algorithm: violating, act, verdict, refusedFrom }) => ({
        name: `qnsp:policyViolation:${act}`,
        value: `${violating} ${verdict}${refusedFrom === null ? '' : ` ${refusedFrom}`}`,
      })),
      ...propertiesOf({
        tenantId: key.tenantId,
        purpose: key.purpose,
        state: key.state,
        versionState: version.state,
        isCurrent: version.version === key.currentVersion,
        origin: version.origin,
        provider: version.provider,
        quantumSafe: version.quantumSafe,
        fipsApproved: version.fipsApproved,
        rotationPeriod: key.rotation.rotationPeriod,
        autoRotate: key.rotation.autoRotate,
        nextRotationAt: key.rotation.nextRotationAt,
        usesSince: key.usesSince,
        lastProtectedAt: version.lastProtectedAt,
        lastProcessedAt: version.lastProcessedAt,
        countedMessages: version.countedMessages,
        countedOperations: key.countedOperations,
        maxOperations: key.maxOperations,
        destroyAt: key.destroyAt,
      }),
    ],
  };
}

function stateOf(key: InventoryKey, version: InventoryVersion): MaterialState {
  if (key.state === 'destroyed' || version.state === 'destroyed') return 'destroyed';
  if (key.revocation !== null) return key.revocation.reason === 'suspected_compromise' ? 'compromised' : 'deactivated';
  if (key.state === 'deactivated' || version.state !== 'active') return 'deactivated';
  return key.state === 'suspended' ? 'suspended' : 'active';
}

const CURVE_BITS = { prime256v1: 256, secp384r1: 384 } as const;

/** The length of a key in bits, where it is a secret or a number. */
function bitsOf({ form }: Algorithm): number | undefined {
  switch (form.kind) {
    case 'secret':
      return form.bytes * 8;
    case 'rsa':
      return form.modulusBits;
    case 'ec':
      return CURVE_BITS[form.namedCurve];
    case 'node-key':
    case 'x-wing':
      return undefined;
  }
}
