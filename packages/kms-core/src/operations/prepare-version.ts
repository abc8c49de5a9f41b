import { costOfWork } from '../algorithms/costs.ts';
import { type Algorithm, type KeyPurpose, PURPOSE_OPERATIONS } from '../algorithms/registry.ts';
import type { KeyEngine } from '../engines/engine.ts';
import { pairwiseTest } from '../engines/pairwise-test.ts';
import { softwareEngine } from '../engines/software-engine.ts';
import { type GeneratedMaterial, generateMaterial, loadMaterial, seedBytes } from '../engines/software-material.ts';
import { KmsError } from '../errors/kms-error.ts';
import type { ProtectionLevel } from '../model/key.ts';
import { NO_FIELDS } from '../model/record-fields.ts';
import type { Job } from '../ports/jobs.ts';
import { NothingLeft, type ResidentKeyName, type ResidentKeyProvider } from '../ports/resident-keys.ts';
import { chooseProtection } from './choose-protection.ts';
import { BeingMade, claimVersion } from './claim-version.ts';
import type { Kms } from './kms.ts';
import type { Operation } from './operation.ts';
import { PreparedVersion, type VersionFacts, type VersionMaterial } from './prepared-version.ts';

/** What a new version is to be. */
export interface VersionPlan {
  /**
   * Its name, for a key in an HSM; while another call makes that version, or may have left it half made, the answer is
   * `HSM_UNAVAILABLE`.
   */
  readonly name: ResidentKeyName;
  readonly algorithm: Algorithm;
  readonly protectionLevel: ProtectionLevel;
  /** What the key is for: an HSM that cannot do it is found out before the key is stored. */
  readonly purpose: KeyPurpose;
}

/**
 * Makes the material of a new version. Making it may take seconds, so it happens before the unit of work. A key in an HSM is claimed in
 * the store before it is made and the claim is released in the unit that stores the version: whatever a crash leaves in the HSM, the
 * sweep finds and removes.
 */
export async function prepareVersion(
  { kms, pay, client }: Pick<Operation, 'kms' | 'pay' | 'client'>,
  plan: VersionPlan,
): Promise<PreparedVersion> {
  const { algorithm, protectionLevel } = plan;
  const units = costOfWork(algorithm, 'generate') ?? 1;
  await pay?.(units);
  const { providers, warnings } = await chooseProtection(kms, algorithm, protectionLevel);
  if (providers.length > 0) return inFirstThatAnswers(providers, (provider) => residentVersion(kms, provider, plan));
  const material = await generateTested(kms, algorithm, { owner: plan.name.tenantId, units, client });
  return softwareVersion(kms, material, { algorithm, origin: 'generated', warnings });
}

/** Fails over to the next HSM. What an HSM has made although it reported a failure stays claimed, so that the sweep removes it. */
async function inFirstThatAnswers(
  providers: readonly ResidentKeyProvider[],
  make: (provider: ResidentKeyProvider) => Promise<PreparedVersion>,
): Promise<PreparedVersion> {
  let unavailable: unknown;
  for (const provider of providers) {
    try {
      return await make(provider);
    } catch (error) {
      if (!KmsError.is(error) || error.code !== 'HSM_UNAVAILABLE' || error instanceof BeingMade) throw error;
      unavailable = error;
    }
  }
  throw unavailable;
}

async function generateTested(
  { random, jobs }: Pick<Kms, 'random' | 'jobs'>,
  algorithm: Algorithm,
  job: Job,
): Promise<GeneratedMaterial> {
  const bytes = seedBytes(algorithm);
  // Before it is this job's turn: an HSM may take its time for random bytes, and nobody else is to wait for them.
  const seed = bytes === 0 ? new Uint8Array() : await random(bytes);
  if (algorithm.form.kind === 'secret') return generateMaterial(algorithm, () => seed);
  try {
    return await jobs.run(job, async () => {
      const material = await generateMaterial(algorithm, () => seed);
      await pairwiseTest(softwareEngine(algorithm, loadMaterial(algorithm, material.secret)));
      return material;
    });
  } catch (error) {
    seed.fill(0);
    throw error;
  }
}

/** A version that is sealed under the tenant's master key. */
export function softwareVersion(
  { hierarchy }: Pick<Kms, 'hierarchy'>,
  { secret, publicKey }: GeneratedMaterial,
  facts: Omit<VersionFacts, 'protectionLevel'>,
): PreparedVersion {
  const { algorithm, origin } = facts;
  return new PreparedVersion(
    { ...facts, protectionLevel: 'software' },
    {
      store: async (unit, chain, { keyId, version }) => ({
        version,
        state: 'active',
        algorithm: algorithm.id,
        origin,
        provider: hierarchy.providerId,
        material: chain.sealVersion({ keyId, version, algorithm: algorithm.id }, secret),
        publicKey,
        createdAt: unit.now,
        fields: NO_FIELDS,
      }),
      remove: async () => undefined,
      wipe: () => secret.fill(0),
    },
  );
}

async function residentVersion(
  kms: Kms,
  provider: ResidentKeyProvider,
  { name, algorithm, purpose }: VersionPlan,
): Promise<PreparedVersion> {
  const scope = { kind: 'tenant', tenantId: name.tenantId } as const;
  const claim = await claimVersion(kms.store, provider.id, name);
  const release = () => kms.store.transact(scope, (unit) => claim.release(unit));
  const { handle, publicKey } = await claimedWhileMade(claim.renewedWhile(provider.generate(algorithm, name)), release);
  const material: VersionMaterial = {
    store: async (unit, _chain, stored) => {
      const claimed = stored.version === name.version && (await claim.release(unit));
      if (!claimed) throw new KmsError('CONFLICT', 'The key changed at the same moment, or creating it took too long.');
      return {
        version: name.version,
        state: 'active',
        algorithm: algorithm.id,
        origin: 'generated',
        provider: provider.id,
        material: { kind: 'resident', handle },
        publicKey,
        createdAt: unit.now,
        fields: NO_FIELDS,
      };
    },
    // If the object cannot be removed now, its claim stays, and the sweep removes both.
    remove: () =>
      unlessItFails(async () => {
        await provider.destroy(handle);
        await release();
      }),
    wipe: () => undefined,
  };
  if (publicKey !== null && SEALING.some((operation) => PURPOSE_OPERATIONS[purpose].includes(operation)))
    await testSealing(provider.engine(algorithm, handle, publicKey, name.tenantId), material);
  return new PreparedVersion({ algorithm, origin: 'generated', protectionLevel: 'hsm', warnings: [] }, material);
}

/** Gives the claim up at once where nothing was made, so that the same version can be asked for again. */
async function claimedWhileMade<T>(making: Promise<T>, release: () => Promise<unknown>): Promise<T> {
  try {
    return await making;
  } catch (error) {
    if (error instanceof NothingLeft) await unlessItFails(release);
    throw error;
  }
}

/** What cannot be cleaned up now is left to the sweep; the caller's own error says what went wrong. */
async function unlessItFails(cleanUp: () => Promise<unknown>): Promise<void> {
  try {
    await cleanUp();
  } catch (error) {
    if (!KmsError.is(error)) throw error;
  }
}

const SEALING = ['encrypt', 'wrap'] as const;

/** A provider tries out what it makes, but not for every use: not every HSM that signs with RSA decrypts with it. */
async function testSealing(engine: KeyEngine, material: VersionMaterial): Promise<void> {
  try {
    await pairwiseTest({
      ...(engine.seal === undefined ? {} : { seal: engine.seal }),
      ...(engine.open === undefined ? {} : { open: engine.open }),
    });
  } catch (error) {
    await material.remove();
    throw error;
  }
}
