import { type Caller, requirePermission } from '../access/caller.ts';
import type { Algorithm } from '../algorithms/registry.ts';
import { acceptImported } from '../engines/imported-material.ts';
import type { GeneratedMaterial } from '../engines/software-material.ts';
import { badRequest } from '../errors/kms-error.ts';
import type { KeyDescription } from '../model/describe-key.ts';
import type { KeyId } from '../model/identifiers.ts';
import { changeKey } from './change-key.ts';
import { insertKey, type KeySettings } from './create-key.ts';
import { unwrapMaterial, type WrappedMaterial } from './import-parameters.ts';
import type { Kms } from './kms.ts';
import { wipe } from './make-version.ts';
import { addVersion, isImported } from './rotate-key.ts';
import { type IdempotencyRequest, runOnce } from './run-once.ts';
import { requireApproved } from './require-approved.ts';

export interface ImportKeyInput extends KeySettings, WrappedMaterial {
  readonly algorithm: Algorithm;
  /** An imported key to give a new version; without it the import makes a new key. */
  readonly keyId?: KeyId;
  readonly idempotency?: IdempotencyRequest;
}

/** Imports key material of the caller's own (BYOK). Imported keys are rotated only by importing a new version. */
export async function importKey(kms: Kms, caller: Caller, input: ImportKeyInput): Promise<KeyDescription> {
  requirePermission(caller, 'kms:keys:import');
  requireApproved(kms, input.algorithm);
  if (input.rotation?.auto || (input.rotation?.auto === undefined && input.rotation?.periodSeconds)) {
    throw badRequest('rotation', 'an imported key can not rotate by itself');
  }
  const chain = await kms.hierarchy.masterKeys(caller.tenantId);
  const unwrapped = unwrapMaterial(chain, kms.clock(), input);
  try {
    const material = await acceptImported(input.algorithm, unwrapped);
    try {
      return await (input.keyId === undefined
        ? importNew(kms, caller, input, material)
        : importVersion(kms, caller, input, input.keyId, material));
    } finally {
      wipe(material);
    }
  } finally {
    unwrapped.fill(0);
  }
}

async function importNew(
  kms: Kms,
  caller: Caller,
  input: ImportKeyInput,
  material: GeneratedMaterial,
): Promise<KeyDescription> {
  const chain = await kms.hierarchy.masterKeys(caller.tenantId);
  return kms.store.transact({ kind: 'tenant', tenantId: caller.tenantId }, (unit) =>
    runOnce(unit, chain, input.idempotency, () =>
      insertKey(kms, caller, unit, chain, {
        settings: input,
        algorithm: input.algorithm,
        material,
        origin: 'imported',
      }),
    ),
  );
}

function importVersion(
  kms: Kms,
  caller: Caller,
  input: ImportKeyInput,
  keyId: KeyId,
  material: GeneratedMaterial,
): Promise<KeyDescription> {
  const request = { keyId, ...(input.idempotency === undefined ? {} : { idempotency: input.idempotency }) };
  return changeKey(kms, caller, request, 'kms:keys:import', 'rotate', (record, context) => {
    if (!isImported(record))
      throw badRequest('keyId', 'the material of this key was generated here: rotate it instead');
    if (record.algorithm !== input.algorithm.id)
      throw badRequest('algorithm', `the key has the algorithm ${record.algorithm}`);
    if (input.algorithm.family === 'legacy-cipher')
      throw badRequest('keyId', 'data of another system does not name its version: import another key instead');
    return addVersion(kms, record, context, input.algorithm, material, 'imported');
  });
}
