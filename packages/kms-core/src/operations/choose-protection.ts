import type { Algorithm } from '../algorithms/registry.ts';
import { badRequest, KmsError } from '../errors/kms-error.ts';
import type { ProtectionLevel } from '../model/key.ts';
import type { ResidentKeyProvider } from '../ports/resident-keys.ts';
import type { Kms } from './kms.ts';

/** Where a new version will live. */
export interface ChosenProtection {
  /** The HSMs that can hold it, the first choice first; none for a version that is sealed in the database. */
  readonly providers: readonly ResidentKeyProvider[];
  /** What is done differently from what was asked. */
  readonly warnings: readonly string[];
}

/**
 * Decides where a new version lives. No HSM holds post-quantum key pairs yet: they stay software keys, sealed under the
 * root, and the warnings say so.
 *
 * @throws KmsError `BAD_REQUEST` when no HSM is configured, or with the list of what they hold when none holds keys of
 *   this algorithm; `HSM_UNAVAILABLE` when none answers.
 */
export async function chooseProtection(
  kms: Kms,
  algorithm: Algorithm,
  wanted: ProtectionLevel,
): Promise<ChosenProtection> {
  if (wanted === 'software') return { providers: [], warnings: [] };
  if (kms.resident.length === 0) throw badRequest('protectionLevel', 'no HSM that can hold keys is configured');
  const able: ResidentKeyProvider[] = [];
  const offered = new Set<string>();
  let away: KmsError | undefined;
  for (const provider of kms.resident) {
    try {
      const algorithms = await provider.algorithms();
      if (algorithms.includes(algorithm.id)) able.push(provider);
      for (const id of algorithms) offered.add(id);
    } catch (error) {
      if (!KmsError.is(error) || error.code !== 'HSM_UNAVAILABLE') throw error;
      away = error;
    }
  }
  if (able.length > 0) return { providers: able, warnings: [] };
  if (algorithm.quantumSafe && algorithm.form.kind !== 'secret') {
    const { providerId } = kms.hierarchy;
    return {
      providers: [],
      warnings: [
        `No HSM supports ${algorithm.id} keys: the key is a software key, sealed under the root of ${providerId}, and its protectionLevel is software.`,
      ],
    };
  }
  if (away !== undefined) throw away;
  throw badRequest(
    'algorithm',
    `no HSM here supports ${algorithm.id} keys; with the protectionLevel hsm you can use ${[...offered].sort().join(', ')}`,
  );
}
