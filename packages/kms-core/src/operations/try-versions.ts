import { algorithmById } from '../algorithms/resolve.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { checkVersion } from '../bounds/check-values.ts';
import type { MaybePromise } from '../base/maybe-promise.ts';
import { badRequest, KmsError } from '../errors/kms-error.ts';
import { VERSION_STATE_ALLOWS } from '../lifecycle/operations.ts';
import type { CryptoOperation } from '../algorithms/crypto-operation.ts';
import type { KeyId } from '../model/identifiers.ts';
import type { KeyRecord, KeyVersionRecord } from '../model/key.ts';
import type { Operation } from './operation.ts';
import { type KeyUse, loadAdmitted, ready, type UsableVersion } from './use-key.ts';

/** Which version, if any, accepted a signature or a MAC; for `valid: false` the newest that was asked. */
export interface VersionMatch {
  readonly valid: boolean;
  readonly keyId: KeyId;
  readonly keyVersion: number;
  readonly algorithm: string;
}

/**
 * Asks the versions of a key, newest first, which of them accepts: a signature does not name its version. Of a key with many
 * versions the newest are asked, each as an operation of its own.
 *
 * @throws KmsError `BAD_REQUEST` when none of these accepts and there are older ones: whether it is valid was not found out.
 */
export async function tryVersions(
  op: Operation,
  use: KeyUse,
  { keyId, keyVersion }: { readonly keyId: KeyId; readonly keyVersion?: number },
  accepts: (used: UsableVersion) => MaybePromise<boolean>,
): Promise<VersionMatch> {
  checkVersion('keyVersion', keyVersion);
  const loaded = await loadAdmitted(op, { use, keyId, version: null });
  const candidates = candidatesOf(loaded.record, use.crypto, keyVersion);
  const [newest] = candidates;
  let refusal: KmsError | undefined;
  let asked = 0;
  for (const { version: number, algorithm } of candidates.slice(0, BOUNDS.triedVersions)) {
    // Each version that is asked is an operation, and counted as one.
    const used = await ready(op, { use, keyId, version: number }, loaded);
    try {
      if (await accepts(used)) return { valid: true, keyId, keyVersion: number, algorithm };
      asked += 1;
    } catch (error) {
      // Options that this version's algorithm does not have: after an upgrade they may be meant for another version.
      if (!KmsError.is(error) || error.code !== 'BAD_REQUEST') throw error;
      refusal = error;
    }
  }
  if (asked === 0 && refusal !== undefined) throw refusal;
  if (candidates.length > BOUNDS.triedVersions)
    throw badRequest(
      'keyVersion',
      `is needed: it was made by none of the newest ${BOUNDS.triedVersions} versions, and the key has older ones`,
    );
  return { valid: false, keyId, keyVersion: newest.version, algorithm: algorithmById(newest.algorithm).id };
}

function candidatesOf(
  record: KeyRecord,
  operation: CryptoOperation,
  keyVersion: number | undefined,
): readonly [KeyVersionRecord, ...KeyVersionRecord[]] {
  const [newest, ...others] =
    keyVersion === undefined
      ? record.versions.filter((version) => VERSION_STATE_ALLOWS[version.state].has(operation)).toReversed()
      : record.versions.filter((version) => version.version === keyVersion);
  if (newest === undefined) throw badRequest('keyVersion', 'the key has no such version');
  return [newest, ...others];
}
