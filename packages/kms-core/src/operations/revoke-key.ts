import type { Caller } from '../access/caller.ts';
import { authorize } from '../access/evaluate-policy.ts';
import { checkBoolean, checkOneOf } from '../bounds/check-values.ts';
import type { KeyDescription } from '../model/describe-key.ts';
import type { KeyId } from '../model/identifiers.ts';
import { type KeyRecord, REVOCATION_REASONS, type RevocationReason } from '../model/key.ts';
import {
  applyEvent,
  type ChangeContext,
  type ChangeRequest,
  changeKey,
  type KeyChange,
  lockKey,
} from './change-key.ts';
import type { Kms } from './kms.ts';

export interface RevokeKeyInput extends ChangeRequest {
  readonly reason: RevocationReason;
  /** Whether the keys below it in the tenant's hierarchy are revoked with it. */
  readonly cascade?: boolean;
}

/** Ends every use of a key at once and for ever; with `cascade`, of all keys below it in the same unit of work. */
export async function revokeKey(kms: Kms, caller: Caller, input: RevokeKeyInput): Promise<KeyDescription> {
  checkOneOf('reason', input.reason, REVOCATION_REASONS);
  if (input.cascade !== undefined) checkBoolean('cascade', input.cascade);
  const below: KeyId[] = [];
  try {
    const cascade = async (record: KeyRecord, context: Pick<ChangeContext, 'unit' | 'chain'>): Promise<void> => {
      if (input.cascade) below.push(...(await revokeBelow(kms, caller, record, context, input.reason)));
    };
    const revoke = async (record: KeyRecord, context: ChangeContext): Promise<KeyChange> => {
      await cascade(record, context);
      return { revocation: { reason: input.reason, at: context.unit.now } };
    };
    return await changeKey(kms, caller, input, 'kms:keys:delete', 'revoke', revoke, {
      isDone: async (record, context) => {
        if (record.revocation === null) return false;
        await cascade(record, context);
        return true;
      },
    });
  } finally {
    for (const keyId of below) kms.keyRing.forget(keyId);
  }
}

async function revokeBelow(
  kms: Kms,
  caller: Caller,
  top: KeyRecord,
  { unit, chain }: Pick<ChangeContext, 'unit' | 'chain'>,
  reason: RevocationReason,
): Promise<KeyId[]> {
  const seen = new Set<KeyId>([top.keyId]);
  const waiting = [...(await unit.keys.children(top.keyId))];
  const revoked: KeyId[] = [];
  for (let keyId = waiting.shift(); keyId !== undefined; keyId = waiting.shift()) {
    if (seen.has(keyId)) continue;
    seen.add(keyId);
    const record = await lockKey(unit, chain, keyId);
    waiting.push(...(await unit.keys.children(keyId)));
    if (record.state === 'revoked' || record.state === 'destroyed') continue;
    authorize(caller, 'kms:keys:delete', record, kms.clock());
    await applyEvent(kms, unit, chain, record, 'revoke', () => ({ revocation: { reason, at: unit.now } }));
    revoked.push(keyId);
  }
  return revoked;
}
