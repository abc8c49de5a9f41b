import { KmsError } from '../errors/kms-error.ts';
import type { MasterKeyChain } from '../hierarchy/master-key-chain.ts';
import type { KeyRecord } from '../model/key.ts';

/**
 * Parts the records of a list into those that are authentic and a warning for each other one: a record that somebody
 * changed is not shown, and keeps nobody from seeing the rest.
 */
export function authenticRecords(
  chain: MasterKeyChain,
  records: readonly KeyRecord[],
): { readonly authentic: readonly KeyRecord[]; readonly warnings?: readonly string[] } {
  const warnings: string[] = [];
  const authentic = records.filter((record) => {
    try {
      chain.verifyRecord(record);
      return true;
    } catch (error) {
      if (!(error instanceof KmsError) || error.code !== 'INTERNAL_ERROR') throw error;
      warnings.push(`The stored record of the key ${record.keyId} failed its integrity check; the key is not listed.`);
      return false;
    }
  });
  return { authentic, ...(warnings.length === 0 ? {} : { warnings }) };
}
