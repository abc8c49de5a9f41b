import type { MaybePromise } from '../base/maybe-promise.ts';
import type { KmsError } from '../errors/kms-error.ts';

/** What ECDSA and RSA hash messages with. */
export type SignatureHash = 'sha256' | 'sha384' | 'sha512';

/** How a signature is made, where its algorithm has a choice. */
export interface SignatureOptions {
  /**
   * Whether the data is the message, which is hashed here, or the digest of it, as long as `hash` makes them. ECDSA and RSA alone
   * sign a digest, with the same signature as of the message. Default: `raw`, the message.
   */
  readonly messageType?: 'raw' | 'digest';
  /** What the message is hashed with, or was, for ECDSA and RSA; default: the hash that belongs to the algorithm. */
  readonly hash?: SignatureHash;
  /** Context string of FIPS 204 and 205, at most 255 bytes. */
  readonly context?: Uint8Array;
  /** Encoding of ECDSA signatures; DER is the default. */
  readonly format?: 'der' | 'ieee-p1363';
  /** RSA padding; PSS with a salt as long as the digest is the default. */
  readonly scheme?: 'pss' | 'pkcs1-v1_5';
}

/** A shared secret, and what its other owner needs to get it. */
export interface Encapsulation {
  readonly sharedSecret: Uint8Array;
  readonly ciphertext: Uint8Array;
}

/** What is sealed of several. */
export interface PlainMessage {
  readonly plaintext: Uint8Array;
  readonly context: Uint8Array;
}

/** What is opened of several. */
export interface SealedMessage {
  readonly ciphertext: Uint8Array;
  readonly context: Uint8Array;
}

/**
 * The cryptography of one key version, wherever its material is. A method is there when the algorithm can do it;
 * which of them a caller may use is decided before.
 */
export interface KeyEngine {
  /** Encrypts to `header ‖ … ‖ tag`; the header and `context` are authenticated. */
  readonly seal?: (header: Uint8Array, context: Uint8Array, plaintext: Uint8Array) => MaybePromise<Uint8Array>;
  /** Opens what `seal` made, header included. Throws `DECRYPT_FAILED` and releases nothing otherwise. */
  readonly open?: (ciphertext: Uint8Array, context: Uint8Array) => MaybePromise<Uint8Array>;
  /** Seals each of several messages as `seal` does, in their order. Only where that is cheaper than one by one. */
  readonly sealAll?: (header: Uint8Array, messages: readonly PlainMessage[]) => readonly Uint8Array[];
  /** Opens each of several as `open` does: in their order the plaintext, or why there is none, which concerns no other. */
  readonly openAll?: (messages: readonly SealedMessage[]) => readonly (Uint8Array | KmsError)[];
  /** Decrypts data of another system, which has no envelope. */
  readonly openLegacy?: (ciphertext: Uint8Array) => MaybePromise<Uint8Array>;
  readonly sign?: (data: Uint8Array, options: SignatureOptions) => MaybePromise<Uint8Array>;
  readonly verify?: (data: Uint8Array, signature: Uint8Array, options: SignatureOptions) => MaybePromise<boolean>;
  readonly mac?: (data: Uint8Array) => MaybePromise<Uint8Array>;
  readonly verifyMac?: (data: Uint8Array, mac: Uint8Array) => MaybePromise<boolean>;
  readonly encapsulate?: () => MaybePromise<Encapsulation>;
  readonly decapsulate?: (ciphertext: Uint8Array) => MaybePromise<Uint8Array>;
  /** The raw shared secret with a peer's public key (SPKI, DER). Never leaves the core without a KDF. */
  readonly agree?: (peerPublicKey: Uint8Array) => MaybePromise<Uint8Array>;
}

/** The engine of a version that makes ciphertexts, and opens them. */
export type MessageEngine = Required<Pick<KeyEngine, 'seal' | 'open'>>;

/** One that makes and opens several together as well. */
export type MessagesEngine = MessageEngine & Required<Pick<KeyEngine, 'sealAll' | 'openAll'>>;
