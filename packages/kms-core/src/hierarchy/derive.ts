import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';

/** One label for each use of a derived key, so that keys derived for different uses are independent of one another. */
export type DerivationLabel =
  | 'qnsp-kms/v1/root-wrap'
  | 'qnsp-kms/v1/root-check-value'
  | 'qnsp-kms/v1/tmk-seal'
  | 'qnsp-kms/v1/tmk-record-mac'
  | 'qnsp-kms/v1/token-pepper'
  | 'qnsp-kms/v2/token-pepper'
  | 'qnsp-kms/v1/sigv4-secret'
  | 'qnsp-kms/v1/token-record-mac'
  | 'qnsp-kms/v1/tenant-record-mac'
  | 'qnsp-kms/v1/migration-record-mac'
  | 'qnsp-kms/v2/idempotency-answer'
  | 'qnsp-kms/v1/idempotency-fingerprint'
  | 'qnsp-kms/v1/import-token'
  | 'qnsp-kms/v1/list-cursor'
  | 'qnsp-kms/v1/cache-entry'
  | 'qnsp-kms/v1/retired-master-key'
  | 'qnsp-kms/v1/approval-record-mac';

/** HKDF-SHA-256 (RFC 5869) of a uniformly random key, with the label as `info`. Answers 32 bytes, which the caller wipes. */
function deriveBytes(key: KeyObject, label: DerivationLabel): Buffer {
  return Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), label, 32));
}

/** Like {@link deriveBytes}, as a key object. */
export function deriveKey(key: KeyObject, label: DerivationLabel): KeyObject {
  const bytes = deriveBytes(key, label);
  try {
    return createSecretKey(bytes);
  } finally {
    bytes.fill(0);
  }
}
