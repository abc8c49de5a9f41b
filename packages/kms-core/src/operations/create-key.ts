import type { KeySettings, RotationInput } from '../model/key-settings.ts';
import { type Caller, requirePermission } from '../access/caller.ts';
import { assertNoLockout } from '../access/lockout.ts';
import { assertGrantable } from '../access/grantable-policy.ts';
import type { Algorithm, KeyPurpose } from '../algorithms/registry.ts';
import { checkIdempotency } from '../bounds/check-change.ts';
import { checkKeySettings } from '../bounds/check-key-settings.ts';
import { checkAlgorithm, checkOneOf } from '../bounds/check-values.ts';
import { badRequest } from '../errors/kms-error.ts';
import { keyFacts } from '../evidence/key-facts.ts';
import type { MasterKeyChain } from '../hierarchy/master-key-chain.ts';
import { describeKey, type KeyDescription } from '../model/describe-key.ts';
import { type KeyId, newId } from '../model/identifiers.ts';
import { type KeyRecord, PROTECTION_LEVELS, type ProtectionLevel } from '../model/key.ts';
import { NO_FIELDS } from '../model/record-fields.ts';
import type { UnitOfWork } from '../ports/store.ts';
import { OPERATIONS } from './catalog.ts';
import type { Kms } from './kms.ts';
import { type PreparedVersion, withNewVersion } from './make-version.ts';
import { runOnce } from './run-once.ts';
import type { IdempotencyRequest } from '../model/change-request.ts';
import { requireApproved } from './require-approved.ts';

export interface CreateKeyInput extends KeySettings {
  /** Default: the default algorithm of the service. */
  readonly algorithm?: Algorithm | null;
  readonly protectionLevel?: ProtectionLevel;
  readonly idempotency?: IdempotencyRequest;
}

/** Creates a key with its first version. */
export async function createKey(kms: Kms, caller: Caller, input: CreateKeyInput): Promise<KeyDescription> {
  requirePermission(caller, OPERATIONS.createKey.permission);
  const algorithm = input.algorithm ?? kms.settings.defaultAlgorithm;
  checkAlgorithm('algorithm', algorithm);
  checkOneOf('protectionLevel', input.protectionLevel ?? 'software', PROTECTION_LEVELS);
  checkKeySettings(input);
  checkIdempotency(input.idempotency);
  requireApproved(kms, algorithm);
  if (algorithm.importOnly)
    throw badRequest('algorithm', `${algorithm.id} keys can only be imported, to read existing data`);
  const chain = await kms.hierarchy.masterKeys(caller.tenantId);
  const { tenantId } = caller;
  const keyId = newId();
  return withNewVersion(
    kms,
    { tenantId, keyId, version: 1 },
    algorithm,
    input.protectionLevel ?? 'software',
    choosePurpose(algorithm, input.purpose ?? null).purpose,
    (prepared) =>
      kms.store.transact({ kind: 'tenant', tenantId }, (unit) =>
        runOnce({ unit, chain, caller, operation: 'create-key' }, input.idempotency, () =>
          insertKey(kms, caller, unit, chain, { keyId, settings: input, prepared }),
        ),
      ),
  );
}

interface NewKey {
  readonly keyId: KeyId;
  readonly settings: KeySettings;
  readonly prepared: PreparedVersion;
}

/** Writes a new key with its first version. */
export async function insertKey(
  kms: Pick<Kms, 'evidence' | 'clock'>,
  caller: Caller,
  unit: UnitOfWork,
  chain: MasterKeyChain,
  { keyId, settings, prepared }: NewKey,
): Promise<KeyDescription> {
  const { algorithm, protectionLevel } = prepared;
  const { purpose, warnings } = choosePurpose(algorithm, settings.purpose ?? null);
  if (settings.policy) {
    requirePermission(caller, OPERATIONS.putKeyPolicy.permission);
    assertGrantable(caller, settings.policy);
    assertNoLockout(caller, settings.policy, keyId, kms.clock(), settings.allowLockout);
  }
  if (settings.parentKeyId && (await unit.keys.get(settings.parentKeyId)) === undefined)
    throw badRequest('parentKeyId', 'there is no key with this id');
  const version = await prepared.store(unit, chain, { tenantId: caller.tenantId, keyId, version: 1 });
  const record: KeyRecord = chain.signRecord({
    tenantId: caller.tenantId,
    keyId,
    name: settings.name ?? null,
    algorithm: algorithm.id,
    purpose,
    protectionLevel,
    state: 'active',
    stateBeforeDestroy: null,
    revocation: null,
    currentVersion: 1,
    versions: [version],
    rotation: planRotation(settings.rotation ?? {}, unit.now),
    usageLimits: {
      maxOperations: settings.usageLimits?.maxOperations ?? null,
      expiresAt: settings.usageLimits?.expiresAt ?? null,
    },
    policy: settings.policy ?? null,
    metadata: settings.metadata ?? {},
    parentKeyId: settings.parentKeyId ?? null,
    revision: 1,
    createdAt: unit.now,
    updatedAt: unit.now,
    destroyAt: null,
    fields: NO_FIELDS,
  });
  await unit.keys.insert(record);
  await kms.evidence?.changed(unit, {
    eventType: prepared.origin === 'imported' ? OPERATIONS.importKey.event : OPERATIONS.createKey.event,
    resource: { type: 'key', id: keyId, version: 1 },
    before: null,
    after: keyFacts(record),
  });
  return describeKey(record, [...warnings, ...prepared.warnings]);
}

/** The rotation settings with their next date, counted from `from`. */
export function planRotation(rotation: RotationInput, from: Date): KeyRecord['rotation'] {
  const periodSeconds = rotation.periodSeconds ?? null;
  const auto = rotation.auto ?? periodSeconds !== null;
  if (auto && periodSeconds === null) throw badRequest('rotation.rotationPeriod', 'automatic rotation needs a period');
  const nextRotationAt = auto && periodSeconds !== null ? new Date(from.getTime() + periodSeconds * 1000) : null;
  return { periodSeconds, auto, retainVersions: rotation.retainVersions ?? null, nextRotationAt };
}

/** One client sends `signing` whatever the algorithm: a purpose that it can't serve becomes its own, with a warning. */
function choosePurpose(algorithm: Algorithm, wanted: KeyPurpose | null): { purpose: KeyPurpose; warnings: string[] } {
  const [own] = algorithm.purposes;
  if (wanted === null || algorithm.purposes.includes(wanted)) return { purpose: wanted ?? own, warnings: [] };
  return {
    purpose: own,
    warnings: [`${algorithm.id} cannot serve the purpose ${wanted}; the key has the purpose ${own}.`],
  };
}
