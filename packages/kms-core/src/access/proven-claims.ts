import type { CredentialKind } from './identity.ts';

/** What a credential of an issuer proves, whatever kind it is of: what it lets its bearer do is for the bindings of tenants to say. */
export interface ProvenClaims {
  /** Tells this credential from every other one that this process has seen; nothing of the credential can be had from it. */
  readonly name: string;
  readonly credential: CredentialKind;
  /** Without `#`, which stands between it and the subject. */
  readonly issuer: string;
  /** Who the issuer says it is: the `sub` of a JWT. One line of text. */
  readonly subject: string;
  /** The id that the issuer gave this one credential, as the `jti` of a JWT; `null` where it has none. */
  readonly credentialId: string | null;
  /** Milliseconds since 1970. */
  readonly issuedAt: number;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** Each claim with its values; a list has several. */
  readonly claims: ReadonlyMap<string, readonly string[]>;
  /** Whether the issuer says that more than one factor proved it. */
  readonly mfa: boolean;
}

/**
 * The subject under which policies, evidence and limits know somebody: the issuer is a part of it, so that no issuer can speak of
 * those of another one, or of an API token.
 */
export function subjectOf({ issuer, subject }: Pick<ProvenClaims, 'issuer' | 'subject'>): string {
  return `${issuer}#${subject}`;
}
