import { requireCreatable } from '../lifecycle/admission.ts';
import { requirePermission } from '../access/caller.ts';
import { assertGrantable } from '../access/grantable-policy.ts';
import { assertNoLockout } from '../access/lockout.ts';
import type { Algorithm, KeyPurpose } from '../algorithms/registry.ts';
import { checkIdempotency } from '../bounds/check-change.ts';
import { checkKeySettings } from '../bounds/check-key-settings.ts';
import { checkAlgorithm, checkOneOf } from '../bounds/check-values.ts';
import { badRequest } from '../errors/kms-error.ts';
import { keyFacts } from '../evidence/key-facts.ts';
import { planRotation } from '../lifecycle/rotation-plan.ts';
import type { KeyDescription } from '../model/describe-key.ts';
import { type KeyId, newId } from '../model/identifiers.ts';
import { type KeyRecord, PROTECTION_LEVELS, type ProtectionLevel } from '../model/key.ts';
import type { KeySettings } from '../model/key-settings.ts';
import { atMost, type Quotas } from '../model/quotas.ts';
import { NO_FIELDS } from '../model/record-fields.ts';
import { withSafeguards } from '../model/safeguards.ts';
import { OPERATIONS } from './catalog.ts';
import type { ChangeContext } from './change-key.ts';
import type { Operation } from './operation.ts';
import { showKey } from './policy-violations.ts';
import { prepareVersion } from './prepare-version.ts';
import type { PreparedVersion } from './prepared-version.ts';
import { runOnce } from './run-once.ts';

/** What a new key is to be. */
export interface CreateKeyInput extends KeySettings {
  /** Default: the default algorithm of the service. */
  readonly algorithm?: Algorithm | null;
  readonly protectionLevel?: ProtectionLevel;
}

/** Creates a key with its first version. */
export async function createKey(op: Operation, input: CreateKeyInput): Promise<KeyDescription> {
  const { kms, caller } = op;
  requirePermission(caller, OPERATIONS.createKey.permission);
  const algorithm = input.algorithm ?? kms.settings.defaultAlgorithm;
  checkAlgorithm('algorithm', algorithm);
  checkOneOf('protectionLevel', input.protectionLevel ?? 'software', PROTECTION_LEVELS);
  checkKeySettings(input);
  checkIdempotency(op.idempotency);
  requireCreatable(kms.settings, algorithm, kms.clock);
  if (algorithm.importOnly)
    throw badRequest('algorithm', `${algorithm.id} keys can only be imported, to read existing data`);
  const { tenantId } = caller;
  await kms.hierarchy.masterKeys(tenantId);
  const quotas = await kms.quotas.of(tenantId);
  const keyId = newId();
  await using prepared = await prepareVersion(op, {
    name: { tenantId, keyId, version: 1 },
    algorithm,
    protectionLevel: input.protectionLevel ?? 'software',
    purpose: choosePurpose(algorithm, input.purpose ?? null).purpose,
  });
  const created = kms.hierarchy.under(tenantId, (chain) =>
    kms.store.transact({ kind: 'tenant', tenantId }, (unit) =>
      runOnce(op, { unit, chain, what: 'create-key' }, () =>
        insertKey(op, { unit, chain }, { keyId, settings: input, prepared, quotas }),
      ),
    ),
  );
  return await prepared.stored(created);
}

interface NewKey {
  readonly keyId: KeyId;
  readonly settings: KeySettings;
  readonly prepared: PreparedVersion;
  readonly quotas: Quotas;
}

/** Writes a new key with its first version. */
export async function insertKey(
  { kms, caller, evidence }: Operation,
  { unit, chain }: ChangeContext,
  { keyId, settings, prepared, quotas }: NewKey,
): Promise<KeyDescription> {
  const { algorithm, protectionLevel, origin } = prepared.facts;
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
    fields: withSafeguards(NO_FIELDS, settings),
  });
  await unit.keys.insert(record, { atMost: atMost(quotas.keys) });
  if (evidence !== undefined)
    await evidence.changed(unit, {
      eventType: origin === 'imported' ? OPERATIONS.importKey.event : OPERATIONS.createKey.event,
      resource: { type: 'key', id: keyId, version: 1 },
      before: null,
      after: keyFacts(record),
    });
  return showKey(kms, record, [...warnings, ...prepared.facts.warnings]);
}

/** One client sends `signing` whatever the algorithm is: a purpose that the algorithm cannot serve becomes that of the algorithm, with a warning. */
function choosePurpose(algorithm: Algorithm, wanted: KeyPurpose | null): { purpose: KeyPurpose; warnings: string[] } {
  const [own] = algorithm.purposes;
  if (wanted === null || algorithm.purposes.includes(wanted)) return { purpose: wanted ?? own, warnings: [] };
  return {
    purpose: own,
    warnings: [`${algorithm.id} cannot serve the purpose ${wanted}; the key has the purpose ${own}.`],
  };
}
