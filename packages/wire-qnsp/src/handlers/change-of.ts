import type { ChangeRequest, IdempotencyRequest } from '@qnsp/kms-core';

interface KeyCall {
  readonly request: { readonly params: { readonly keyId: string }; readonly ifRevision?: number };
  readonly once: { readonly idempotency?: IdempotencyRequest };
}

/** What every change of a key takes from its call: the key, the revision that the client saw, its idempotency key. */
export function changeOf({ request, once }: KeyCall): ChangeRequest {
  return {
    keyId: request.params.keyId,
    ...once,
    ...(request.ifRevision === undefined ? {} : { ifRevision: request.ifRevision }),
  };
}

interface ReasonedCall extends KeyCall {
  readonly request: KeyCall['request'] & { readonly body: { readonly reason?: string } };
}

/** The same with the reason that the client gave; an empty one is none. */
export function reasonedChangeOf(call: ReasonedCall): ChangeRequest {
  const { reason = '' } = call.request.body;
  return { ...changeOf(call), ...(reason === '' ? {} : { statedReason: reason }) };
}
