import { createHmac, timingSafeEqual } from 'node:crypto';
import { lengthPrefixed } from '../encoding/length-prefixed.ts';
import { sortedJson } from '../encoding/sorted-json.ts';
import { KmsError } from '../errors/kms-error.ts';
import type { KeyMigrationRecord, UnsignedKeyMigration } from '../model/key-migration.ts';
import { deriveKey } from './derive.ts';
import type { MasterKeyChain } from './master-key-chain.ts';
import { instant } from './record-parts.ts';

/** The only format that there is. */
const FORMAT = 1;

/**
 * Decides which stored migrations are authentic: nobody who only writes to the database starts one. By the service's own master key, which
 * is not rotated, so that a rotation of the tenant's need not wait for them.
 */
export class MigrationAuthority {
  readonly #chain: MasterKeyChain;

  /** @param chain the master keys of the service itself */
  constructor(chain: MasterKeyChain) {
    this.#chain = chain;
  }

  sign(record: UnsignedKeyMigration): KeyMigrationRecord {
    const { version } = this.#chain.current;
    return { ...record, mac: { format: FORMAT, tmkVersion: version, tag: this.#mac(version, record) } };
  }

  /** Throws `INTERNAL_ERROR` for a record that the KMS did not write. */
  verify(record: KeyMigrationRecord): void {
    const { format, tmkVersion, tag } = record.mac;
    if (format === FORMAT && this.#chain.has(tmkVersion)) {
      const expected = this.#mac(tmkVersion, record);
      if (tag.length === expected.length && timingSafeEqual(tag, expected)) return;
    }
    throw new KmsError('INTERNAL_ERROR', 'The stored record of the migration failed its integrity check.', {
      cause: new Error(`record MAC mismatch: migration ${record.migrationId}`),
    });
  }

  #mac(tmkVersion: number, record: UnsignedKeyMigration): Buffer {
    const key = deriveKey(this.#chain.version(tmkVersion).key, 'qnsp-kms/v1/migration-record-mac');
    return createHmac('sha256', key).update(encoded(record)).digest();
  }
}

function encoded(record: UnsignedKeyMigration): Buffer {
  return lengthPrefixed([
    'qnsp-kms/v1/key-migration',
    record.tenantId,
    record.migrationId,
    record.state,
    instant(record.createdAt),
    instant(record.endedAt),
    sortedJson(record.order),
    sortedJson(record.progress),
    record.holder,
    instant(record.dueAt),
    record.revision,
  ]);
}
