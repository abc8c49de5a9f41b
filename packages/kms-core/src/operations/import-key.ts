import { requireCreatable } from '../lifecycle/admission.ts';
import { requirePermission } from '../access/caller.ts';
import { costOfWork } from '../algorithms/costs.ts';
import type { Algorithm } from '../algorithms/registry.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { checkIdempotency } from '../bounds/check-change.ts';
import { checkKeySettings } from '../bounds/check-key-settings.ts';
import { checkAlgorithm, checkBytes, checkId, checkOneOf } from '../bounds/check-values.ts';
import { acceptImported } from '../engines/imported-material.ts';
import { badRequest } from '../errors/kms-error.ts';
import { isImported } from '../lifecycle/versions.ts';
import type { KeyDescription } from '../model/describe-key.ts';
import { type KeyId, newId } from '../model/identifiers.ts';
import { PROTECTION_LEVELS, type ProtectionLevel } from '../model/key.ts';
import type { KeySettings } from '../model/key-settings.ts';
import { addVersion } from './add-version.ts';
import { OPERATIONS } from './catalog.ts';
import { changeKey, type KindOfChange } from './change-key.ts';
import { insertKey } from './create-key.ts';
import { openImportToken, unwrapMaterial, WRAPPING_ALGORITHMS, type WrappedMaterial } from './import-parameters.ts';
import type { Operation } from './operation.ts';
import { softwareVersion } from './prepare-version.ts';
import type { PreparedVersion } from './prepared-version.ts';
import { runOnce } from './run-once.ts';

/** The wrapped material, and what the key is to be. */
export interface ImportKeyInput extends KeySettings, WrappedMaterial {
  readonly algorithm: Algorithm;
  /** Only `software`: material that existed outside an HSM cannot be said to be protected by one. */
  readonly protectionLevel?: ProtectionLevel;
  /** An imported key to give a new version; without it the import makes a new key. */
  readonly keyId?: KeyId;
}

/** Imports key material of the caller's own (BYOK). Imported keys are rotated only by importing a new version. */
export async function importKey(op: Operation, input: ImportKeyInput): Promise<KeyDescription> {
  const { kms, caller } = op;
  requirePermission(caller, OPERATIONS.importKey.permission);
  checkImport(input);
  checkIdempotency(op.idempotency);
  requireCreatable(kms.settings, input.algorithm, kms.clock);
  if (input.rotation?.auto || (input.rotation?.auto === undefined && input.rotation?.periodSeconds)) {
    throw badRequest('rotation', 'an imported key cannot rotate automatically');
  }
  const { algorithm, keyId } = input;
  const units = costOfWork(algorithm, 'accept') ?? 1;
  await op.pay?.(units);
  const wrappingKey = await kms.hierarchy.under(caller.tenantId, async (chain) =>
    openImportToken(chain, kms.clock(), input),
  );
  const job = { owner: caller.tenantId, units, client: op.client };
  let unwrapped: Uint8Array | undefined;
  try {
    const material = await kms.jobs.run(job, async () => {
      unwrapped = await unwrapMaterial(wrappingKey, input);
      return acceptImported(algorithm, unwrapped);
    });
    await using prepared = softwareVersion(kms, material, { algorithm, origin: 'imported', warnings: [] });
    const imported = keyId === undefined ? importNew(op, input, prepared) : importVersion(op, input, keyId, prepared);
    return await prepared.stored(imported);
  } finally {
    unwrapped?.fill(0);
  }
}

function checkImport(input: ImportKeyInput): void {
  checkAlgorithm('algorithm', input.algorithm);
  checkOneOf('protectionLevel', input.protectionLevel ?? 'software', PROTECTION_LEVELS);
  if (input.protectionLevel === 'hsm')
    throw badRequest(
      'protectionLevel',
      'key material that existed outside an HSM cannot be imported into one; create a key with protectionLevel hsm instead',
    );
  checkOneOf('wrappingAlgorithm', input.wrappingAlgorithm, WRAPPING_ALGORITHMS);
  checkBytes('importToken', input.importToken, BOUNDS.importTokenBytes, 1);
  checkBytes('wrappedMaterial', input.wrappedMaterial, BOUNDS.wrappedMaterialBytes, 1);
  if (input.keyId !== undefined) checkId('keyId', input.keyId);
  checkKeySettings(input);
}

async function importNew(op: Operation, input: ImportKeyInput, prepared: PreparedVersion): Promise<KeyDescription> {
  const { kms, caller } = op;
  const { tenantId } = caller;
  const quotas = await kms.quotas.of(tenantId);
  return kms.hierarchy.under(tenantId, (chain) =>
    kms.store.transact({ kind: 'tenant', tenantId }, (unit) =>
      runOnce(op, { unit, chain, what: 'import-key' }, () =>
        insertKey(op, { unit, chain }, { keyId: newId(), settings: input, prepared, quotas }),
      ),
    ),
  );
}

/** What importing a version means for the key that gets it. */
const NEW_VERSION: KindOfChange = { permission: OPERATIONS.importKey.permission, lifecycle: 'rotate' };

async function importVersion(
  op: Operation,
  { algorithm }: ImportKeyInput,
  keyId: KeyId,
  prepared: PreparedVersion,
): Promise<KeyDescription> {
  const quotas = await op.kms.quotas.of(op.caller.tenantId);
  return changeKey(op, NEW_VERSION, { keyId }, (record, context) => {
    if (!isImported(record))
      throw badRequest('keyId', 'the material of this key was generated here: rotate it instead');
    if (record.algorithm !== algorithm.id)
      throw badRequest('algorithm', `the key has the algorithm ${record.algorithm}`);
    if (algorithm.family === 'legacy-cipher')
      throw badRequest('keyId', 'data from another system does not name its version: import another key instead');
    return addVersion(record, context, { prepared, quotas });
  });
}
