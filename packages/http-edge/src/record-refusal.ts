import { type Identity, KmsError, SYSTEM_TENANT } from '@qnsp/kms-core';
import { beginEvidence } from './begin-evidence.ts';
import type { Call } from './call.ts';
import { callerAddress } from './request-facts.ts';

/**
 * Leaves in evidence that a call with a known credential was not let in, where that is to be recorded. Never throws: the call did
 * nothing, and is refused all the same.
 *
 * @param code what it was refused with
 */
export async function recordRefusal(
  call: Call,
  owner: Pick<Identity, 'subject' | 'tenantId'>,
  code: KmsError['code'],
): Promise<void> {
  const { edge, incoming, requestId } = call;
  if (edge.trail === undefined || !edge.refusedTokens.takes(owner, code)) return;
  const { subject, tenantId } = owner;
  const event = beginEvidence(edge.trail, call, owner);
  try {
    event?.requireRoom();
    event?.actsFor(tenantId ?? SYSTEM_TENANT, callerAddress(incoming, edge.gatewayCredential));
    await event?.refused(code);
  } catch (error) {
    if (!KmsError.is(error)) throw error;
    edge.logs.log.warn(
      { requestId, tokenId: subject, reason: error.message },
      'the refusal of a token could not be recorded as evidence',
    );
  }
}
