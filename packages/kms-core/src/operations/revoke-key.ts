import { checkBoolean, checkOneOf } from '../bounds/check-values.ts';
import type { ChangeRequest } from '../model/change-request.ts';
import type { KeyDescription } from '../model/describe-key.ts';
import { REVOCATION_REASONS, type RevocationReason } from '../model/key.ts';
import { OPERATIONS } from './catalog.ts';
import { changeKey } from './change-key.ts';
import type { Operation } from './operation.ts';
import { revokeBelow } from './revoke-below.ts';

/** Which key is revoked, why, and whether those below it are too. */
export interface RevokeKeyInput extends ChangeRequest {
  readonly reason: RevocationReason;
  /** Whether the keys below it in the tenant's hierarchy are revoked with it. */
  readonly cascade?: boolean;
}

/**
 * Ends every use of a key immediately and permanently. With `cascade` the keys below it follow, some at a time: what
 * keeps one of them from being revoked keeps neither the key itself nor the others, and the answer's warnings say what
 * is left. Calling it again, even for a revoked key, continues with what is left.
 */
export async function revokeKey(op: Operation, input: RevokeKeyInput): Promise<KeyDescription> {
  checkOneOf('reason', input.reason, REVOCATION_REASONS);
  if (input.cascade !== undefined) checkBoolean('cascade', input.cascade);
  const revoked = await changeKey(
    op,
    OPERATIONS.revokeKey,
    input,
    (_record, { unit }) => ({ revocation: { reason: input.reason, at: unit.now } }),
    { isDone: ({ revocation }) => revocation !== null },
  );
  const warnings = [
    ...(revoked.warnings ?? []),
    ...earlierReason(revoked, input.reason),
    ...(input.cascade === true ? await revokeBelow(op, input.keyId, input.reason) : []),
  ];
  return warnings.length === 0 ? revoked : { ...revoked, warnings };
}

/** Somebody who revokes a key because it is compromised must not believe that this is what its record says. */
function earlierReason({ revocation }: KeyDescription, reason: RevocationReason): readonly string[] {
  if (revocation === undefined || revocation.reason === reason) return [];
  return [`The key was already revoked; the earlier reason, ${revocation.reason}, stands.`];
}
