import { badRequest } from '../errors/kms-error.ts';
import type { KeyRecord } from '../model/key.ts';
import type { RotationInput } from '../model/key-settings.ts';

/** The rotation settings with their next date, counted from `from`. */
export function planRotation(rotation: RotationInput, from: Date): KeyRecord['rotation'] {
  const periodSeconds = rotation.periodSeconds ?? null;
  const auto = rotation.auto ?? periodSeconds !== null;
  if (auto && periodSeconds === null) throw badRequest('rotation.rotationPeriod', 'automatic rotation needs a period');
  const nextRotationAt = auto && periodSeconds !== null ? new Date(from.getTime() + periodSeconds * 1000) : null;
  return { periodSeconds, auto, retainVersions: rotation.retainVersions ?? null, nextRotationAt };
}
