import { type Algorithm, type KeyPurpose, PURPOSE_OPERATIONS } from '../algorithms/registry.ts';
import type { KeyEngine } from '../engines/engine.ts';
import { pairwiseTest } from '../engines/pairwise-test.ts';
import { softwareEngine } from '../engines/software-engine.ts';
import { type GeneratedMaterial, generateMaterial, loadMaterial } from '../engines/software-material.ts';
import { KmsError } from '../errors/kms-error.ts';
import type { MasterKeyChain } from '../hierarchy/master-key-chain.ts';
import type { KeyVersionRecord, ProtectionLevel } from '../model/key.ts';
import { NO_FIELDS } from '../model/record-fields.ts';
import { NothingLeft, type ResidentKeyName, type ResidentKeyProvider } from '../ports/resident-keys.ts';
import type { UnitOfWork } from '../ports/store.ts';
import { chooseProtection } from './choose-protection.ts';
import { BeingMade, claimVersion } from './claim-version.ts';
import type { Kms } from './kms.ts';

/** Material of a new version that is made and tested, but not stored yet. */
export interface PreparedVersion {
  readonly algorithm: Algorithm;
  readonly origin: KeyVersionRecord['origin'];
  readonly protectionLevel: ProtectionLevel;
  /** What was done differently from what was requested. */
  readonly warnings: readonly string[];
  /** Stores it as a version of a key, in the unit that writes the key's record. */
  store(unit: UnitOfWork, chain: MasterKeyChain, name: ResidentKeyName): Promise<KeyVersionRecord>;
  /** Removes what was made for it and is not stored; wipes what is held in memory. */
  dispose(outcome: Outcome): Promise<void>;
}

/** Whether the version is in the store now; `unknown` after a failure that leaves it open. */
type Outcome = 'stored' | 'not-stored' | 'unknown';

/**
 * Makes the material of a new version, runs the work that stores it, and cleans up. Making it may take seconds, so it
 * happens before the unit of work. A key in an HSM is claimed in the store before it is made and the claim is released
 * in the unit that stores the version: whatever a crash leaves in the HSM, the sweep finds and removes.
 *
 * @param name what the version will be, for a key in an HSM; while another call makes that version, or may have left it
 *   half made, the answer is `HSM_UNAVAILABLE`
 * @param purpose what the key is for: an HSM that cannot do it is found out before the key is stored
 */
export async function withNewVersion<T>(
  kms: Kms,
  name: ResidentKeyName,
  algorithm: Algorithm,
  protectionLevel: ProtectionLevel,
  purpose: KeyPurpose,
  work: (prepared: PreparedVersion) => Promise<T>,
): Promise<T> {
  const { providers, warnings } = await chooseProtection(kms, algorithm, protectionLevel);
  const prepared =
    providers.length === 0
      ? softwareVersion(kms, algorithm, await generateTested(kms, algorithm), 'generated', warnings)
      : await inFirstThatAnswers(providers, (provider) => residentVersion(kms, provider, algorithm, name, purpose));
  return withPrepared(prepared, work);
}

/** Falls over to the next HSM. What one that failed has made in spite of that stays claimed, for the sweep. */
async function inFirstThatAnswers(
  providers: readonly ResidentKeyProvider[],
  make: (provider: ResidentKeyProvider) => Promise<PreparedVersion>,
): Promise<PreparedVersion> {
  let unavailable: unknown;
  for (const provider of providers) {
    try {
      return await make(provider);
    } catch (error) {
      if (!(error instanceof KmsError) || error.code !== 'HSM_UNAVAILABLE' || error instanceof BeingMade) throw error;
      unavailable = error;
    }
  }
  throw unavailable;
}

/** Runs the work that stores a prepared version, and cleans up after it. */
export async function withPrepared<T>(
  prepared: PreparedVersion,
  work: (prepared: PreparedVersion) => Promise<T>,
): Promise<T> {
  let used = false;
  const watched: PreparedVersion = {
    ...prepared,
    store: (unit, chain, name) => {
      used = true;
      return prepared.store(unit, chain, name);
    },
  };
  let outcome: Outcome = 'unknown';
  try {
    const answer = await work(watched);
    // A call that was answered from an earlier one with the same idempotency key stored nothing.
    outcome = used ? 'stored' : 'not-stored';
    return answer;
  } catch (error) {
    if (!used || wasRefused(error)) outcome = 'not-stored';
    throw error;
  } finally {
    await prepared.dispose(outcome);
  }
}

/** Whether the unit of work was certainly undone: a store that was lost may have committed it nevertheless. */
function wasRefused(error: unknown): boolean {
  return error instanceof KmsError && error.code !== 'STORE_UNAVAILABLE' && error.code !== 'INTERNAL_ERROR';
}

async function generateTested(kms: Kms, algorithm: Algorithm): Promise<GeneratedMaterial> {
  const material = await generateMaterial(algorithm, kms.random);
  if (material.publicKey !== null)
    await pairwiseTest(softwareEngine(algorithm, loadMaterial(algorithm, material.secret)));
  return material;
}

/** A version that is sealed under the tenant's master key. */
export function softwareVersion(
  kms: Kms,
  algorithm: Algorithm,
  material: GeneratedMaterial,
  origin: KeyVersionRecord['origin'],
  warnings: readonly string[] = [],
): PreparedVersion {
  return {
    algorithm,
    origin,
    protectionLevel: 'software',
    warnings,
    store: async (unit, chain, { keyId, version }) => ({
      version,
      state: 'active',
      algorithm: algorithm.id,
      origin,
      provider: kms.hierarchy.providerId,
      material: chain.sealVersion({ keyId, version, algorithm: algorithm.id }, material.secret),
      publicKey: material.publicKey,
      createdAt: unit.now,
      fields: NO_FIELDS,
    }),
    dispose: async () => {
      material.secret.fill(0);
    },
  };
}

async function residentVersion(
  kms: Kms,
  provider: ResidentKeyProvider,
  algorithm: Algorithm,
  name: ResidentKeyName,
  purpose: KeyPurpose,
): Promise<PreparedVersion> {
  const scope = { kind: 'tenant', tenantId: name.tenantId } as const;
  const claim = await claimVersion(kms.store, provider.id, name);
  const release = () => kms.store.transact(scope, (unit) => unit.residents.release(provider.id, name));
  const key = await claimedWhileMade(claim.renewedWhile(provider.generate(algorithm, name)), release);
  const prepared: PreparedVersion = {
    algorithm,
    origin: 'generated',
    protectionLevel: 'hsm',
    warnings: [],
    store: async (unit, _chain, stored) => {
      const claimed = stored.version === name.version && (await unit.residents.release(provider.id, name));
      if (!claimed) throw new KmsError('CONFLICT', 'The key changed at the same moment, or creating it took too long.');
      return {
        version: name.version,
        state: 'active',
        algorithm: algorithm.id,
        origin: 'generated',
        provider: provider.id,
        material: { kind: 'resident', handle: key.handle },
        publicKey: key.publicKey,
        createdAt: unit.now,
        fields: NO_FIELDS,
      };
    },
    dispose: async (outcome) => {
      if (outcome !== 'not-stored') return;
      // The claim stays when the object cannot be removed now.
      await unlessItFails(async () => {
        await provider.destroy(key.handle);
        await release();
      });
    },
  };
  if (key.publicKey !== null && SEALING.some((operation) => PURPOSE_OPERATIONS[purpose].includes(operation)))
    await testSealing(provider.engine(algorithm, key.handle, key.publicKey), prepared);
  return prepared;
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
    if (!(error instanceof KmsError)) throw error;
  }
}

const SEALING = ['encrypt', 'wrap'] as const;

/** A provider tries out what it makes, but not for every use: not every HSM that signs with RSA decrypts with it. */
async function testSealing(engine: KeyEngine, prepared: PreparedVersion): Promise<void> {
  try {
    await pairwiseTest({
      ...(engine.seal === undefined ? {} : { seal: engine.seal }),
      ...(engine.open === undefined ? {} : { open: engine.open }),
    });
  } catch (error) {
    await prepared.dispose('not-stored');
    throw error;
  }
}
