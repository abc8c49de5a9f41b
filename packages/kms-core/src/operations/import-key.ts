import { type Caller, requirePermission } from '../access/caller.ts';
import type { Algorithm } from '../algorithms/registry.ts';
import { acceptImported } from '../engines/imported-material.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { checkIdempotency } from '../bounds/check-change.ts';
import { checkKeySettings } from '../bounds/check-key-settings.ts';
import { checkAlgorithm, checkBytes, checkId, checkOneOf } from '../bounds/check-values.ts';
import { badRequest } from '../errors/kms-error.ts';
import type { KeyDescription } from '../model/describe-key.ts';
import { type KeyId, newId } from '../model/identifiers.ts';
import { PROTECTION_LEVELS, type ProtectionLevel } from '../model/key.ts';
import { OPERATIONS } from './catalog.ts';
import { changeKey } from './change-key.ts';
import { insertKey } from './create-key.ts';
import type { KeySettings } from '../model/key-settings.ts';
import { unwrapMaterial, WRAPPING_ALGORITHMS, type WrappedMaterial } from './import-parameters.ts';
import type { Kms } from './kms.ts';
import { softwareVersion, withPrepared, type PreparedVersion } from './make-version.ts';
import { addVersion, isImported } from './rotate-key.ts';
import { runOnce } from './run-once.ts';
import type { IdempotencyRequest } from '../model/change-request.ts';
import { requireApproved } from './require-approved.ts';

export interface ImportKeyInput extends KeySettings, WrappedMaterial {
  readonly algorithm: Algorithm;
  /** Only `software`: what was outside an HSM is not protected by one. */
  readonly protectionLevel?: ProtectionLevel;
  /** An imported key to give a new version; if absent, the import creates a new key. */
  readonly keyId?: KeyId;
  readonly idempotency?: IdempotencyRequest;
}

/** Imports key material of the caller's own (BYOK). Imported keys are rotated only by importing a new version. */
export async function importKey(kms: Kms, caller: Caller, input: ImportKeyInput): Promise<KeyDescription> {
  requirePermission(caller, OPERATIONS.importKey.permission);
  checkImport(input);
  requireApproved(kms, input.algorithm);
  if (input.rotation?.auto || (input.rotation?.auto === undefined && input.rotation?.periodSeconds)) {
    throw badRequest('rotation', 'an imported key cannot rotate automatically');
  }
  const chain = await kms.hierarchy.masterKeys(caller.tenantId);
  const unwrapped = unwrapMaterial(chain, kms.clock(), input);
  try {
    const { algorithm, keyId } = input;
    const material = softwareVersion(kms, algorithm, await acceptImported(algorithm, unwrapped), 'imported');
    return await withPrepared(material, (prepared) =>
      keyId === undefined
        ? importNew(kms, caller, input, prepared)
        : importVersion(kms, caller, input, keyId, prepared),
    );
  } finally {
    unwrapped.fill(0);
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
  checkIdempotency(input.idempotency);
}

async function importNew(
  kms: Kms,
  caller: Caller,
  input: ImportKeyInput,
  prepared: PreparedVersion,
): Promise<KeyDescription> {
  const chain = await kms.hierarchy.masterKeys(caller.tenantId);
  return kms.store.transact({ kind: 'tenant', tenantId: caller.tenantId }, (unit) =>
    runOnce({ unit, chain, caller, operation: 'import-key' }, input.idempotency, () =>
      insertKey(kms, caller, unit, chain, { keyId: newId(), settings: input, prepared }),
    ),
  );
}

function importVersion(
  kms: Kms,
  caller: Caller,
  input: ImportKeyInput,
  keyId: KeyId,
  prepared: PreparedVersion,
): Promise<KeyDescription> {
  const request = { keyId, ...(input.idempotency === undefined ? {} : { idempotency: input.idempotency }) };
  return changeKey(kms, caller, request, OPERATIONS.importKey.permission, 'rotate', (record, context) => {
    if (!isImported(record))
      throw badRequest('keyId', 'the material of this key was generated here: rotate it instead');
    if (record.algorithm !== input.algorithm.id)
      throw badRequest('algorithm', `the key has the algorithm ${record.algorithm}`);
    if (input.algorithm.family === 'legacy-cipher')
      throw badRequest('keyId', 'data from another system does not name its version: import another key instead');
    return addVersion(record, context, prepared);
  });
}
