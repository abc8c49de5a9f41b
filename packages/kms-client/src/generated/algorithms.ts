// Written by scripts/write-generated.ts from @qnsp/kms-contract: change the contract, then "pnpm run generate".

/** The name in its standard of each algorithm, by platform id. */
export const STANDARD_NAMES = {
  'aes-256-gcm': 'AES-256-GCM',
  'aes-128-gcm': 'AES-128-GCM',
  'chacha20-poly1305': 'ChaCha20-Poly1305',
  'aes-256-cbc': 'AES-256-CBC',
  'hmac-sha256': 'HMAC-SHA256',
  'hmac-sha384': 'HMAC-SHA384',
  'hmac-sha512': 'HMAC-SHA512',
  'hmac-sha3-256': 'HMAC-SHA3-256',
  ed25519: 'Ed25519',
  'ecdsa-p256': 'ECDSA-P-256',
  'ecdsa-p384': 'ECDSA-P-384',
  'rsa-2048': 'RSA-2048',
  'rsa-3072': 'RSA-3072',
  'rsa-4096': 'RSA-4096',
  x25519: 'X25519',
  'ecdh-p256': 'ECDH-P-256',
  'kyber-512': 'ML-KEM-512',
  'kyber-768': 'ML-KEM-768',
  'kyber-1024': 'ML-KEM-1024',
  'dilithium-2': 'ML-DSA-44',
  'dilithium-3': 'ML-DSA-65',
  'dilithium-5': 'ML-DSA-87',
  'sphincs-sha2-128f-simple': 'SLH-DSA-SHA2-128f',
  'sphincs-sha2-128s-simple': 'SLH-DSA-SHA2-128s',
  'sphincs-sha2-192f-simple': 'SLH-DSA-SHA2-192f',
  'sphincs-sha2-192s-simple': 'SLH-DSA-SHA2-192s',
  'sphincs-sha2-256f-simple': 'SLH-DSA-SHA2-256f',
  'sphincs-sha2-256s-simple': 'SLH-DSA-SHA2-256s',
  'sphincs-shake-128f-simple': 'SLH-DSA-SHAKE-128f',
  'sphincs-shake-128s-simple': 'SLH-DSA-SHAKE-128s',
  'sphincs-shake-192f-simple': 'SLH-DSA-SHAKE-192f',
  'sphincs-shake-192s-simple': 'SLH-DSA-SHAKE-192s',
  'sphincs-shake-256f-simple': 'SLH-DSA-SHAKE-256f',
  'sphincs-shake-256s-simple': 'SLH-DSA-SHAKE-256s',
  'x25519-kyber-768': 'X-Wing',
} as const;

/** The platform id of an algorithm. */
export type AlgorithmId = keyof typeof STANDARD_NAMES;

/** An algorithm in a request: a platform id, the name in the standard, or a usual spelling. */
export type AlgorithmName = AlgorithmId | (string & Record<never, never>);
