import { requirePermission } from '../access/caller.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { checkInteger } from '../bounds/check-values.ts';
import { OPERATIONS } from './catalog.ts';
import type { Operation } from './operation.ts';

/** Random bytes, from the HSM's generator mixed with the operating system's where there is one; 1 to 1024. */
export async function random({ kms, caller }: Operation, input: { readonly bytes: number }): Promise<Uint8Array> {
  requirePermission(caller, OPERATIONS.getRandom.permission);
  checkInteger('bytes', input.bytes, BOUNDS.randomBytes.minimum, BOUNDS.randomBytes.maximum);
  return kms.random(input.bytes);
}
