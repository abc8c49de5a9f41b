/**
 * Why a request is refused. AWS KMS calls them, for the wire that answers:
 *
 * - `missing`: `MissingAuthenticationTokenException`
 * - `incomplete`, `duplicate-header`, `too-large`: `IncompleteSignatureException`
 * - `unknown-access-key`, `session-token`: `UnrecognizedClientException`
 * - all others: `InvalidSignatureException`
 */
export type SignatureRefusalReason =
  | 'missing'
  | 'incomplete'
  | 'duplicate-header'
  | 'too-large'
  | 'presigned'
  | 'scope'
  | 'expired'
  | 'not-yet-current'
  | 'unknown-access-key'
  | 'session-token'
  | 'signed-headers'
  | 'payload-hash'
  | 'signature';

/**
 * That a request is refused, and why. The message is for the one who sent it: it holds nothing of the request but the time that it
 * states, never what should have been signed.
 */
export class SignatureRefusal extends Error {
  /** The one of the closed set that applies first. */
  readonly reason: SignatureRefusalReason;

  constructor(reason: SignatureRefusalReason, message: string) {
    super(message);
    this.name = 'SignatureRefusal';
    this.reason = reason;
  }
}
