import { type Identity, KmsError, SYSTEM_TENANT } from '@qnsp/kms-core';
import type { KnownRefusal } from '@qnsp/kms-core/internal';
import { beginEvidence } from './begin-evidence.ts';
import type { Call } from './call.ts';

/**
 * Leaves in evidence that a call with a known credential was not let in, where that is to be recorded. Never throws: the call did
 * nothing, and is refused all the same.
 *
 * @param refusal what it was refused with
 */
export async function recordRefusal(
  call: Call,
  owner: Pick<Identity, 'subject' | 'tenantId' | 'credential'>,
  refusal: KnownRefusal,
): Promise<void> {
  const { edge, requestId } = call;
  const event = edge.trail && beginEvidence(edge.trail, call, owner);
  if (event === undefined) return;
  const refusedBefore = edge.refusedTokens.takes(owner, refusal);
  if (refusedBefore === undefined) return;
  const { subject, tenantId } = owner;
  try {
    event.requireRoom();
    event.actsFor(tenantId ?? SYSTEM_TENANT, call.address);
    await event.refused(refusal, refusedBefore);
  } catch (error) {
    if (!KmsError.is(error)) throw error;
    edge.refusedTokens.missed(owner, refusedBefore);
    edge.logs.log.warn(
      { requestId, tokenId: subject, reason: error.message },
      'the refusal of a credential could not be recorded as evidence',
    );
  }
}
