import type { ChangeRequest } from '@qnsp/kms-core';

interface RequestOfKey {
  readonly params: { readonly keyId: string };
  readonly ifRevision?: number;
}

/** What every request for a change of a key says: the key, and the revision that the client saw. */
export function changeRequest({ params, ifRevision }: RequestOfKey): ChangeRequest {
  return { keyId: params.keyId, ...(ifRevision === undefined ? {} : { ifRevision }) };
}

/** The same with the reason that the client gave; an empty one is none. */
export function reasonedChange(request: RequestOfKey & { readonly body: { readonly reason?: string } }): ChangeRequest {
  const { reason = '' } = request.body;
  return { ...changeRequest(request), ...(reason === '' ? {} : { statedReason: reason }) };
}
