import { checkMetadata, checkName, checkRotation, checkUsageLimits } from '../bounds/check-key-settings.ts';
import { badRequest } from '../errors/kms-error.ts';
import { planRotation } from '../lifecycle/rotation-plan.ts';
import { isImported } from '../lifecycle/versions.ts';
import type { ChangeRequest } from '../model/change-request.ts';
import type { KeyDescription } from '../model/describe-key.ts';
import type { UsageLimits } from '../model/key.ts';
import type { RotationInput } from '../model/key-settings.ts';
import type { Metadata } from '../model/metadata.ts';
import { OPERATIONS } from './catalog.ts';
import { changeKey } from './change-key.ts';
import type { Operation } from './operation.ts';

/** What is to be changed of a key; what is absent stays as it is. */
export interface UpdateKeyInput extends ChangeRequest {
  readonly name?: string | null;
  /** Replaces all metadata. */
  readonly metadata?: Metadata;
  /** Replaces the settings that are given. */
  readonly rotation?: RotationInput;
  readonly usageLimits?: Partial<UsageLimits>;
}

/** Changes what may change about a key without touching its material. */
export async function updateKey(op: Operation, input: UpdateKeyInput): Promise<KeyDescription> {
  checkName(input.name);
  checkMetadata(input.metadata);
  checkRotation(input.rotation);
  checkUsageLimits(input.usageLimits);
  return changeKey(op, OPERATIONS.updateKey, input, (record, { unit }) => {
    const { name, metadata, rotation, usageLimits } = input;
    const rotates = rotation?.auto ?? (rotation?.periodSeconds !== undefined && rotation.periodSeconds !== null);
    if (rotates && isImported(record)) throw badRequest('rotation', 'an imported key cannot rotate automatically');
    return {
      ...(name === undefined ? {} : { name }),
      ...(metadata === undefined ? {} : { metadata }),
      ...(rotation === undefined
        ? {}
        : {
            rotation: planRotation(
              {
                periodSeconds:
                  rotation.periodSeconds === undefined ? record.rotation.periodSeconds : rotation.periodSeconds,
                auto:
                  rotation.auto ??
                  (rotation.periodSeconds === undefined ? record.rotation.auto : rotation.periodSeconds !== null),
                retainVersions:
                  rotation.retainVersions === undefined ? record.rotation.retainVersions : rotation.retainVersions,
              },
              unit.now,
            ),
          }),
      ...(usageLimits === undefined ? {} : { usageLimits: { ...record.usageLimits, ...usageLimits } }),
    };
  });
}
