import type { Algorithm } from '../algorithms/registry.ts';
import { pairwiseTest } from '../engines/pairwise-test.ts';
import { softwareEngine } from '../engines/software-engine.ts';
import { type GeneratedMaterial, generateMaterial, loadMaterial } from '../engines/software-material.ts';
import type { MasterKeyChain } from '../hierarchy/master-key-chain.ts';
import type { KeyId } from '../model/identifiers.ts';
import type { KeyVersionRecord } from '../model/key.ts';
import type { Kms } from './kms.ts';

/**
 * Material for a new version, generated and tested. Generation may take seconds (RSA), so it happens before the unit of
 * work that stores it. Call {@link wipe} when it is sealed.
 */
export async function prepareMaterial(kms: Kms, algorithm: Algorithm): Promise<GeneratedMaterial> {
  const material = await generateMaterial(algorithm, kms.random);
  if (material.publicKey !== null)
    await pairwiseTest(softwareEngine(algorithm, loadMaterial(algorithm, material.secret)));
  return material;
}

/** Seals material as a version of a key. */
export function sealMaterial(
  kms: Kms,
  chain: MasterKeyChain,
  material: GeneratedMaterial,
  version: {
    readonly keyId: KeyId;
    readonly version: number;
    readonly algorithm: Algorithm;
    readonly origin: KeyVersionRecord['origin'];
    readonly createdAt: Date;
  },
): KeyVersionRecord {
  return {
    version: version.version,
    state: 'active',
    algorithm: version.algorithm.id,
    origin: version.origin,
    provider: kms.hierarchy.providerId,
    material: chain.sealVersion(
      { keyId: version.keyId, version: version.version, algorithm: version.algorithm.id },
      material.secret,
    ),
    publicKey: material.publicKey,
    createdAt: version.createdAt,
  };
}

/** Overwrites material that is not needed any more. */
export function wipe(material: GeneratedMaterial): void {
  material.secret.fill(0);
}
