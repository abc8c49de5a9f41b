import { createHmac, timingSafeEqual } from 'node:crypto';
import { lengthPrefixed } from '../encoding/length-prefixed.ts';
import { KmsError } from '../errors/kms-error.ts';
import type { ApprovalRecord, UnsignedApproval } from '../model/approval.ts';
import { deriveKey } from './derive.ts';
import type { MasterKeyChain } from './master-key-chain.ts';
import { NEWEST_FORMAT } from './record-formats.ts';
import { instant } from './record-parts.ts';

const LABEL = 'qnsp-kms/v1/approval-record-mac';

/**
 * Decides which stored requests for approvals are authentic. The key comes from the service's own master key, as one may be for the end of
 * the tenant's.
 */
export class ApprovalAuthority {
  readonly #chain: MasterKeyChain;

  /** @param chain the master keys of the service itself */
  constructor(chain: MasterKeyChain) {
    this.#chain = chain;
  }

  sign(record: UnsignedApproval): ApprovalRecord {
    const { version } = this.#chain.current;
    return { ...record, mac: { format: NEWEST_FORMAT, tmkVersion: version, tag: this.#mac(version, record) } };
  }

  /** Checks the MAC of a stored record. Throws `INTERNAL_ERROR` for one that the KMS did not write. */
  verify(record: ApprovalRecord): void {
    const { format, tmkVersion, tag } = record.mac;
    if (format === NEWEST_FORMAT && this.#chain.has(tmkVersion)) {
      const expected = this.#mac(tmkVersion, record);
      if (tag.length === expected.length && timingSafeEqual(tag, expected)) return;
    }
    throw new KmsError('INTERNAL_ERROR', 'The stored record of the approval failed its integrity check.', {
      cause: new Error(`record MAC mismatch: approval ${record.approvalId}`),
    });
  }

  #mac(tmkVersion: number, record: UnsignedApproval): Buffer {
    return createHmac('sha256', deriveKey(this.#chain.version(tmkVersion).key, LABEL))
      .update(
        lengthPrefixed([
          LABEL,
          record.tenantId,
          record.approvalId,
          record.fingerprint,
          record.state,
          instant(record.createdAt),
          instant(record.expiresAt),
          record.content,
        ]),
      )
      .digest();
  }
}
