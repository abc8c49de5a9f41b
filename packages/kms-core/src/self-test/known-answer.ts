/**
 * One published answer that an algorithm must give, as the start-up test runs it. Bytes are in base64; `source` names the
 * file of published vectors and the case in it.
 */
export type KnownAnswer = Answered &
  (
    | AeadAnswer
    | LegacyCipherAnswer
    | MacAnswer
    | SignatureAnswer
    | SeedSignatureAnswer
    | VerificationAnswer
    | AgreementAnswer
    | KemAnswer
  );

interface Answered {
  /** The platform id of the algorithm. */
  readonly algorithm: string;
  readonly source: string;
}

interface AeadAnswer {
  readonly kind: 'aead';
  readonly key: string;
  readonly nonce: string;
  readonly aad: string;
  readonly plaintext: string;
  /** body ‖ tag */
  readonly sealed: string;
}

interface LegacyCipherAnswer {
  readonly kind: 'legacy-cipher';
  readonly key: string;
  /** iv ‖ body */
  readonly ciphertext: string;
  readonly plaintext: string;
}

interface MacAnswer {
  readonly kind: 'mac';
  readonly key: string;
  readonly message: string;
  readonly mac: string;
}

interface SignatureAnswer {
  readonly kind: 'signature';
  /** PKCS #8 in DER. */
  readonly privateKey: string;
  readonly message: string;
  readonly signature: string;
  readonly scheme?: 'pkcs1-v1_5';
  /** Whether signing must give this very signature, or only accept it. */
  readonly deterministic: boolean;
}

interface SeedSignatureAnswer {
  readonly kind: 'seed-signature';
  readonly seed: string;
  /** SHA-256 of the raw public key that the seed gives. */
  readonly publicKeyDigest: string;
  readonly message: string;
  readonly context: string;
  readonly signature: string;
}

interface VerificationAnswer {
  readonly kind: 'verification';
  /** The raw public key. */
  readonly publicKey: string;
  readonly message: string;
  readonly context: string;
  readonly signature: string;
}

interface AgreementAnswer {
  readonly kind: 'agreement';
  /** PKCS #8 in DER. */
  readonly privateKey: string;
  /** SubjectPublicKeyInfo in DER. */
  readonly peerPublicKey: string;
  readonly sharedSecret: string;
}

interface KemAnswer {
  readonly kind: 'kem';
  readonly seed: string;
  /** SHA-256 of the raw public key that the seed gives. */
  readonly publicKeyDigest: string;
  readonly ciphertext: string;
  readonly sharedSecret: string;
}
