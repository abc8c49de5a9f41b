import {
  checkMetadata,
  checkName,
  checkRotation,
  checkSafeguards,
  checkUsageLimits,
} from '../bounds/check-key-settings.ts';
import { badRequest } from '../errors/kms-error.ts';
import { planRotation } from '../lifecycle/rotation-plan.ts';
import { isImported } from '../lifecycle/versions.ts';
import type { ChangeRequest } from '../model/change-request.ts';
import type { KeyDescription } from '../model/describe-key.ts';
import type { KeyRecord, UsageLimits } from '../model/key.ts';
import type { RotationInput } from '../model/key-settings.ts';
import type { Metadata } from '../model/metadata.ts';
import { fieldOf, KEY_DESTROY_GUARD, KEY_REQUIRE_APPROVAL } from '../model/record-fields.ts';
import { withSafeguards } from '../model/safeguards.ts';
import { OPERATIONS } from './catalog.ts';
import { type Change, changeKey, type KindOfChange } from './change-key.ts';
import type { Operation } from './operation.ts';

/** What is to be changed of a key; what is absent stays as it is. */
export interface UpdateKeyInput extends ChangeRequest {
  readonly name?: string | null;
  /** Replaces all metadata. */
  readonly metadata?: Metadata;
  /** Replaces the settings that are given. */
  readonly rotation?: RotationInput;
  readonly usageLimits?: Partial<UsageLimits>;
  /** In days; `null` and 0 are no guard. */
  readonly destroyGuardDays?: number | null;
  /** How many others have to approve what cannot be undone; `null` and 0 are nobody. */
  readonly requireApproval?: number | null;
}

/** Changes what may change about a key without touching its material. */
export async function updateKey(op: Operation, input: UpdateKeyInput): Promise<KeyDescription> {
  checkName(input.name);
  checkMetadata(input.metadata);
  checkRotation(input.rotation);
  checkUsageLimits(input.usageLimits);
  checkSafeguards(input);
  const change: Change = (record, { unit }) => {
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
      fields: withSafeguards(record.fields, input),
      ...(usageLimits === undefined ? {} : { usageLimits: { ...record.usageLimits, ...usageLimits } }),
    };
  };
  const weakens = ({ fields, rotation }: KeyRecord) =>
    endsMore(input.rotation?.retainVersions, rotation.retainVersions) ||
    isLess(input.destroyGuardDays, fieldOf(fields, KEY_DESTROY_GUARD)) ||
    isLess(input.requireApproval, fieldOf(fields, KEY_REQUIRE_APPROVAL));
  return changeKey(op, UPDATE, input, change, { needsApproval: weakens });
}

/** To take away what protects a key takes what it protects from. */
const UPDATE: KindOfChange = { ...OPERATIONS.updateKey, approval: 'updateKey' };

/** Whether fewer versions than before would outlast the next rotation; `null` keeps all. */
function endsMore(asked: number | null | undefined, present: number | null): boolean {
  return asked !== undefined && asked !== null && (present === null || asked < present);
}

function isLess(asked: number | null | undefined, present = 0): boolean {
  return asked !== undefined && (asked ?? 0) < present;
}
