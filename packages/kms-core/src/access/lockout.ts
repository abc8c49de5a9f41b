import { badRequest } from '../errors/kms-error.ts';
import type { Caller } from './caller.ts';
import { compiledPolicy } from './compiled-policy.ts';
import { SET_POLICIES } from './permissions.ts';
import type { PolicyDocument } from '../model/policy-document.ts';

/**
 * Refuses a policy that keeps its own writer from changing it again, now or once its times are over, unless they insist. An
 * administrator's way back does not count: who writes such a policy has mostly not meant it.
 *
 * @throws KmsError `BAD_REQUEST`.
 */
export function assertNoLockout(
  caller: Caller,
  policy: PolicyDocument,
  keyId: string,
  now: number,
  allowLockout: boolean | undefined,
): void {
  if (allowLockout === true) return;
  const afterAll = Math.max(now, ...policy.statements.flatMap(({ conditions }) => instantsOf(conditions?.time)));
  for (const at of [now, afterAll]) {
    const verdict = compiledPolicy(policy).ask(caller, SET_POLICIES, keyId, at);
    if (verdict === 'denied' || (verdict === 'silent' && !caller.permissions.has(SET_POLICIES)))
      throw badRequest(
        'policy',
        'would keep you from changing it again; send allowLockout: true if that is what you mean',
      );
  }
}

function instantsOf(time: { readonly notBefore?: string; readonly notAfter?: string } | undefined): number[] {
  return [time?.notBefore, time?.notAfter].flatMap((instant) => (instant === undefined ? [] : Date.parse(instant)));
}
