import { KmsError } from '../errors/kms-error.ts';
import { NewerMasterKey } from '../errors/newer-master-key.ts';
import { NewerRecord } from '../hierarchy/record-formats.ts';
import type { MasterKeyChain } from '../hierarchy/master-key-chain.ts';
import type { KeyRecord } from '../model/key.ts';
import type { Turns } from '../scheduling/turns.ts';
import type { Kms } from './kms.ts';

/** The records of a list that are authentic, and a warning for each other one. */
export interface Authentic<Record> {
  readonly authentic: readonly Record[];
  readonly warnings?: readonly string[];
}

/**
 * Separates the keys of a list into those that are authentic and a warning for each of the others: a record that somebody
 * changed is not shown, and does not keep anybody from seeing the rest.
 */
export function authenticRecords(
  kms: Pick<Kms, 'alert'>,
  chain: MasterKeyChain,
  records: readonly KeyRecord[],
  turns: Turns,
  isNewest: boolean,
): Promise<Authentic<KeyRecord>> {
  return authenticOf(
    kms,
    records,
    (record) => chain.verifyRecord(record),
    ({ keyId }) => ['key', keyId],
    turns,
    isNewest,
  );
}

/**
 * Separates records of any kind in the same way.
 *
 * @param verify throws `INTERNAL_ERROR` for a record that the KMS did not write
 * @param isNewest whether a record that names a newer master key was not written by the KMS either; else it throws a `NewerMasterKey`
 */
export async function authenticOf<Record>(
  kms: Pick<Kms, 'alert'>,
  records: readonly Record[],
  verify: (record: Record) => void,
  nameOf: (record: Record) => readonly [kind: string, id: string],
  turns: Turns,
  isNewest = true,
): Promise<Authentic<Record>> {
  const warnings: string[] = [];
  const authentic: Record[] = [];
  for (const record of records) {
    await turns.pause();
    try {
      verify(record);
      authentic.push(record);
    } catch (error) {
      if (!KmsError.is(error) || error.code !== 'INTERNAL_ERROR') throw error;
      if (NewerMasterKey.is(error) && !isNewest) throw error;
      const [kind, id] = nameOf(record);
      const failed = `The stored record of the ${kind} ${id} ${faultOf(error)}`;
      reportForged(kms, `${failed}.`, error);
      warnings.push(`${failed}; the ${kind} is not listed.`);
    }
  }
  return { authentic, ...(warnings.length === 0 ? {} : { warnings }) };
}

/** What is wrong with a record that is not acted on. */
export function faultOf(error: KmsError): string {
  return error instanceof NewerRecord
    ? 'is of a newer release, which this one cannot act on'
    : 'failed its integrity check';
}

/** Tells the operator about a record that somebody changed in the database. A record of a newer release does not count as changed. */
export function reportForged(kms: Pick<Kms, 'alert'>, message: string, cause: unknown): void {
  if (cause instanceof NewerRecord) return;
  kms.alert?.({ kind: 'record-forged', message, cause });
}
