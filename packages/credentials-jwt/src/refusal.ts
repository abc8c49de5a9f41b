/** Why a token was refused, for the operator alone: the one who presents it is told nothing of it. */
export type RefusalReason =
  | 'too-long'
  | 'malformed'
  | 'critical-header'
  | 'algorithm'
  | 'unknown-issuer'
  | 'unknown-key'
  | 'keys-unavailable'
  | 'signature'
  | 'claims'
  | 'audience'
  | 'expired'
  | 'not-yet-valid'
  | 'lifetime'
  | 'certificate'
  | 'not-bound';

/** What may be wrong with a token that its issuer did sign. */
export type SignedRefusalReason = Extract<
  RefusalReason,
  'audience' | 'expired' | 'not-yet-valid' | 'lifetime' | 'certificate'
>;

/** That a token is refused, and why. Holds nothing of it. */
export class Refusal extends Error {
  readonly reason: RefusalReason;

  constructor(reason: RefusalReason) {
    super(reason);
    this.name = 'Refusal';
    this.reason = reason;
  }
}
