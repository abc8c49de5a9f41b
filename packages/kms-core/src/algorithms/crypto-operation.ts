/** The operations that use key material. */
export const CRYPTO_OPERATIONS = [
  'encrypt',
  'decrypt',
  'reencrypt',
  'sign',
  'verify',
  'wrap',
  'unwrap',
  'data-key',
  'mac',
  'mac-verify',
  'encapsulate',
  'decapsulate',
  'derive',
] as const;
/** One of {@link CRYPTO_OPERATIONS}. */
export type CryptoOperation = (typeof CRYPTO_OPERATIONS)[number];
