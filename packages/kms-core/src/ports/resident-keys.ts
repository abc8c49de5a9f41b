import type { Algorithm } from '../algorithms/registry.ts';
import type { KeyEngine } from '../engines/engine.ts';
import { KmsError } from '../errors/kms-error.ts';
import type { KeyId, TenantId } from '../model/identifiers.ts';

/** Permanently names one version of a key: what an HSM object is labelled with and found by. */
export interface ResidentKeyName {
  readonly tenantId: TenantId;
  readonly keyId: KeyId;
  readonly version: number;
}

/** A key that was made inside an HSM. */
export interface ResidentKey {
  /** How the HSM finds the object again; opaque to the core, says nothing about the key itself. */
  readonly handle: Uint8Array;
  /** SubjectPublicKeyInfo in DER, for key pairs. */
  readonly publicKey: Uint8Array | null;
}

/** An object of this service that an HSM holds. */
export interface ResidentObject {
  readonly name: ResidentKeyName;
  readonly handle: Uint8Array;
}

/** An error of `generate` after which the HSM certainly holds nothing of the key, so that it can be asked again at once. */
export class NothingLeft extends KmsError {
  constructor({ code, message, details, retryAfterSeconds, cause }: KmsError) {
    super(code, message, {
      ...(details === undefined ? {} : { details }),
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
      cause,
    });
  }
}

/**
 * Makes, uses and destroys keys that never leave an HSM.
 *
 * Contract (`testing/resident-keys-contract.ts`): a key is made sensitive and never extractable, with every usage
 * attribute explicit; `seal` makes envelopes of suite 2; a signature is verified before it is released; `destroy` of what
 * is not there succeeds; an HSM that can't be reached, or has too many callers already, is `HSM_UNAVAILABLE` with
 * `retryAfterSeconds`; an object that is gone is `NOT_FOUND`. Nothing blocks the event loop.
 */
export interface ResidentKeyProvider {
  /** The same name as the root provider in the same HSM. */
  readonly id: string;
  /** The platform ids of the algorithms that this HSM can hold keys of. */
  algorithms(): Promise<readonly string[]>;
  /**
   * Makes a key, or a key pair, inside the HSM, and tries it out. A second one under the same name is `CONFLICT`.
   *
   * @throws NothingLeft where that is certain; after any other error there may be an object, now or in a moment.
   */
  generate(algorithm: Algorithm, name: ResidentKeyName): Promise<ResidentKey>;
  /**
   * The cryptography of a resident key; every method answers a promise.
   *
   * @param publicKey of a key pair: public operations and the check of signatures run in this process
   * @param owner the tenant that the key is of: where calls have to wait, those of one tenant take turns with those of another
   */
  engine(algorithm: Algorithm, handle: Uint8Array, publicKey: Uint8Array | null, owner?: TenantId): KeyEngine;
  /** Destroys a key and, of a pair, both halves. */
  destroy(handle: Uint8Array): Promise<void>;
  /** Every object of this service in the HSM, whatever the database knows of it: for the orphan sweep. */
  list(): Promise<readonly ResidentObject[]>;
}
