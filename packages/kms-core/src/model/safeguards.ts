import type { KeySettings } from './key-settings.ts';
import { KEY_DESTROY_GUARD, KEY_REQUIRE_APPROVAL, type RecordFields, withField } from './record-fields.ts';

/** The fields of a key with other safeguards; what is absent stays as it is, `null` and 0 are none. */
export function withSafeguards(
  fields: RecordFields,
  { destroyGuardDays, requireApproval }: Pick<KeySettings, 'destroyGuardDays' | 'requireApproval'>,
): RecordFields {
  let changed = fields;
  if (destroyGuardDays !== undefined) changed = withField(changed, KEY_DESTROY_GUARD, destroyGuardDays || undefined);
  if (requireApproval !== undefined) changed = withField(changed, KEY_REQUIRE_APPROVAL, requireApproval || undefined);
  return changed;
}
