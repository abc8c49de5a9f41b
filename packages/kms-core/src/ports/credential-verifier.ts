import type { Identity } from '../access/identity.ts';
import type { MaybePromise } from '../base/maybe-promise.ts';

/** All that one call presents to prove who makes it, as it was sent: nothing of it was judged yet. */
export interface PresentedCredentials {
  /** A secret that its bearer may use: an API token, a JWT. */
  readonly bearer?: string | undefined;
  /** What the client of the connection has proven to be: the same object for every call on it. */
  readonly certificate?: PresentedCertificate | undefined;
  /** A signature over the request, by the holder of an access key. */
  readonly signature?: PresentedSignature | undefined;
  /** The tenant that the request names, for who may call for several of them. */
  readonly tenant?: string | undefined;
}

/** A signature over the whole of a request, its body included. */
export interface PresentedSignature {
  /** Of the access key that is said to have made it. */
  readonly accessKeyId: string;
  /**
   * Proves that the access key made it. Takes the same work where there is none, and may be asked any number of times.
   *
   * @param accessKey that of `accessKeyId`, the same object for as long as its secret is the same; `undefined` where there is none
   * @throws KmsError `UNAUTHORIZED` unless it is so
   */
  prove(this: void, accessKey: AccessKey | undefined): void;
}

/** What requests are signed with. */
export interface AccessKey {
  /** Makes the secret, in ASCII; the one who asks for it wipes it. */
  secret(this: void): Uint8Array;
}

/**
 * The names in a certificate (RFC 5280, section 4.2.1.6) whose holder has proven to have its key, and which an authority that the
 * operator trusts has issued. It was verified when the connection was made: a verifier compares `notAfter` with the time.
 */
export interface PresentedCertificate {
  /** Such as SPIFFE ids. */
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  readonly emails: readonly string[];
  /** Of the subject; absent where it has none, or several. */
  readonly commonName?: string | undefined;
  /** SHA-256 of the certificate, as 64 hexadecimal digits. */
  readonly fingerprint: string;
  /** When it begins, in milliseconds since 1970. */
  readonly notBefore: number;
  /** When it ends, in milliseconds since 1970. */
  readonly notAfter: number;
}

/** Checks one kind of credential. Contract (`testing/credential-verifier-contract.ts`). */
export interface CredentialVerifier {
  /**
   * Finds out whose credential it is: `undefined` when none of what is presented is of this kind, so that the next verifier
   * is asked. Without a promise where that is known in memory. Says the same of the same credential however often it is
   * asked, until it ends.
   *
   * @throws KmsError `UNAUTHORIZED` for a credential of this kind that does not hold, in the same words whatever is wrong with
   *   it: a `RefusedCredential` where it is known whose it was. `TENANT_MISMATCH` for one that holds for several tenants of which
   *   the call names none.
   */
  verify(presented: PresentedCredentials): MaybePromise<Identity | undefined>;
  /**
   * Whether `verify` would answer from memory, where nothing has to be looked up for somebody who only tries: credentials that were found
   * to hold are let in even while strangers try others from the same address. Default: it would not.
   */
  holds?(presented: PresentedCredentials): boolean;
}
