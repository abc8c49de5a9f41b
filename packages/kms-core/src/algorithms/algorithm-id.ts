/** The platform ids of the registry, by what their keys can do. */
export type CipherId = 'aes-256-gcm' | 'aes-128-gcm' | 'chacha20-poly1305';
export type LegacyCipherId = 'aes-256-cbc';
export type MacId = `hmac-${'sha256' | 'sha384' | 'sha512' | 'sha3-256'}`;
export type SignatureId =
  | 'ed25519'
  | 'ecdsa-p256'
  | 'ecdsa-p384'
  | `dilithium-${2 | 3 | 5}`
  | `sphincs-${'sha2' | 'shake'}-${128 | 192 | 256}${'f' | 's'}-simple`;
export type RsaId = `rsa-${2048 | 3072 | 4096}`;
export type AgreementId = 'x25519' | 'ecdh-p256';
export type KemId = `kyber-${512 | 768 | 1024}` | 'x25519-kyber-768';

/** The platform id of an algorithm of the registry. */
export type AlgorithmId = CipherId | LegacyCipherId | MacId | SignatureId | RsaId | AgreementId | KemId;
