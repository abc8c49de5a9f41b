import { KmsError } from '../errors/kms-error.ts';
import type { Caller } from './caller.ts';
import { coveredBy } from './covered-permissions.ts';
import type { PolicyDocument } from '../model/policy-document.ts';

/**
 * Checks that nobody grants what they don't hold: every permission that an `allow` statement covers must be the
 * writer's own.
 *
 * @throws KmsError `FORBIDDEN` naming a permission that the writer lacks.
 */
export function assertGrantable(caller: Caller, policy: PolicyDocument): void {
  for (const { effect, actions } of policy.statements) {
    if (effect !== 'allow') continue;
    for (const permission of coveredBy(actions)) {
      if (!caller.permissions.has(permission)) {
        throw new KmsError('FORBIDDEN', `The policy grants ${permission}, which the credential itself does not have.`, {
          details: { permission },
        });
      }
    }
  }
}
