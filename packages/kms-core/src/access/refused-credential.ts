import { KmsError } from '../errors/kms-error.ts';
import type { RefusedFor } from '../model/audit-event.ts';
import type { Identity } from './identity.ts';

/** The one answer for a credential that nobody may use, whatever is wrong with it. */
export function notAuthorized(): KmsError {
  return new KmsError(
    'UNAUTHORIZED',
    'The credential is not valid. Present one that has neither expired nor been revoked.',
  );
}

/**
 * The same answer for a credential whose owner is known: it was revoked or has expired. It says to whom it belonged and what is wrong with
 * it, for the log and the evidence; the caller is told nothing of either.
 */
export class RefusedCredential extends KmsError {
  readonly subject: string;
  readonly tenantId: Identity['tenantId'];
  readonly credential: Identity['credential'];
  readonly refusedFor: RefusedFor | undefined;

  constructor(
    { subject, tenantId, credential }: Pick<Identity, 'subject' | 'tenantId' | 'credential'>,
    refusedFor?: RefusedFor,
  ) {
    const { code, message } = notAuthorized();
    super(code, message);
    this.subject = subject;
    this.tenantId = tenantId;
    this.credential = credential;
    this.refusedFor = refusedFor;
  }

  /** As {@link KmsError.is}, of this one. */
  static override is(value: unknown): value is RefusedCredential {
    return KmsError.is(value) && value.code === 'UNAUTHORIZED' && 'subject' in value && 'tenantId' in value;
  }
}
