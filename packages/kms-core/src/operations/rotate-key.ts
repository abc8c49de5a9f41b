import type { Caller } from '../access/caller.ts';
import { authorize } from '../access/evaluate-policy.ts';
import type { Algorithm } from '../algorithms/registry.ts';
import { algorithmById, postQuantumDefault } from '../algorithms/resolve.ts';
import { KmsError } from '../errors/kms-error.ts';
import { KEY_TRANSITIONS, nextVersionState } from '../lifecycle/transitions.ts';
import type { KeyDescription } from '../model/describe-key.ts';
import type { KeyRecord, KeyVersionRecord } from '../model/key.ts';
import type { ResidentKeyName } from '../ports/resident-keys.ts';
import { OPERATIONS } from './catalog.ts';
import { type ChangeContext, changeKey, type KeyChange } from './change-key.ts';
import type { ChangeRequest } from '../model/change-request.ts';
import { planRotation } from './create-key.ts';
import type { Kms } from './kms.ts';
import { type PreparedVersion, withNewVersion } from './make-version.ts';
import { requireApproved } from './require-approved.ts';

/** Makes a new version; the old ones still decrypt, verify and unwrap. */
export function rotateKey(kms: Kms, caller: Caller, input: ChangeRequest): Promise<KeyDescription> {
  return renewKey(kms, caller, input, 'rotate', (record) => algorithmById(record.algorithm));
}

/** Makes a new version under the post-quantum default for what the key does. */
export function upgradeKey(kms: Kms, caller: Caller, input: ChangeRequest): Promise<KeyDescription> {
  return renewKey(kms, caller, input, 'upgrade', (record) =>
    postQuantumDefault(algorithmById(record.algorithm), record.purpose),
  );
}

async function renewKey(
  kms: Kms,
  caller: Caller,
  input: ChangeRequest,
  event: 'rotate' | 'upgrade',
  choose: (record: KeyRecord) => Algorithm,
): Promise<KeyDescription> {
  const seen = await kms.keyRing.read(caller.tenantId, input.keyId);
  authorize(caller, OPERATIONS.rotateKey.permission, seen, kms.clock());
  const algorithm = choose(seen);
  requireApproved(kms, algorithm);
  const change = (prepared: PreparedVersion | undefined) =>
    changeKey(
      kms,
      caller,
      input,
      OPERATIONS.rotateKey.permission,
      event,
      (record, context) => {
        if (isImported(record))
          throw new KmsError(
            'KEY_STATE_INVALID',
            'The material of the key was imported: import a new version instead.',
            { details: { origin: 'imported' } },
          );
        if (prepared === undefined || choose(record) !== algorithm)
          throw new KmsError('CONFLICT', 'The key changed at the same moment. Try again.');
        return addVersion(record, context, prepared);
      },
      prepared && { warnings: prepared.warnings },
    );
  if (KEY_TRANSITIONS[seen.state][event] === undefined || isImported(seen)) return change(undefined);
  return withNewVersion(
    kms,
    nextVersionName(seen),
    algorithm,
    seen.protectionLevel,
    nextPurpose(seen, algorithm),
    change,
  );
}

/** What a key is for when it continues with an algorithm: what it was for, if the algorithm can do that. */
export function nextPurpose(record: KeyRecord, algorithm: Algorithm): KeyRecord['purpose'] {
  return algorithm.purposes.includes(record.purpose) ? record.purpose : algorithm.purposes[0];
}

/** The name of the version that a rotation makes. */
export function nextVersionName({ tenantId, keyId, currentVersion }: KeyRecord): ResidentKeyName {
  return { tenantId, keyId, version: currentVersion + 1 };
}

/** Whether the current version was imported, so that the KMS cannot make the next one. */
export function isImported(record: KeyRecord): boolean {
  return record.versions.find((version) => version.version === record.currentVersion)?.origin === 'imported';
}

/** The change that adds a version: it becomes the active one, and what `retainVersions` does not keep is retired. */
export async function addVersion(
  record: KeyRecord,
  { unit, chain }: Pick<ChangeContext, 'unit' | 'chain'>,
  prepared: PreparedVersion,
): Promise<KeyChange> {
  const { algorithm, protectionLevel } = prepared;
  const version = record.currentVersion + 1;
  const added = await prepared.store(unit, chain, nextVersionName(record));
  const superseded = record.versions.map((old) =>
    old.state === 'active' ? { ...old, state: nextVersionState(old.state, 'supersede') } : old,
  );
  return {
    algorithm: algorithm.id,
    protectionLevel,
    purpose: nextPurpose(record, algorithm),
    currentVersion: version,
    versions: [...retire(superseded, record.rotation.retainVersions), added],
    rotation: planRotation(record.rotation, unit.now),
  };
}

/** Retires the oldest versions beyond the number that the key keeps beside its active one. */
function retire(superseded: readonly KeyVersionRecord[], retainVersions: number | null): KeyVersionRecord[] {
  if (retainVersions === null) return [...superseded];
  const kept = new Set(
    superseded
      .filter((version) => version.state === 'decrypt-only')
      .map((version) => version.version)
      .toReversed()
      .slice(0, retainVersions - 1),
  );
  return superseded.map((version) =>
    version.state === 'decrypt-only' && !kept.has(version.version)
      ? { ...version, state: nextVersionState(version.state, 'retire') }
      : version,
  );
}
