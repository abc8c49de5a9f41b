import type { EvidenceEpoch } from '../model/chain.ts';
import type { DatabaseCopies } from '../ports/database-copies.ts';

/**
 * The epoch of the database, for the chains of evidence: an accepted copy begins one. `null` where the data has been at
 * one place since its beginning, or the store cannot tell.
 */
export async function presentEpoch(copies: DatabaseCopies | undefined): Promise<EvidenceEpoch | null> {
  const copy = await copies?.look();
  if (copy === undefined || copy.dataAsOf === null || copy.settled === null) return null;
  return { since: copy.settled.at.toISOString(), dataAsOf: copy.dataAsOf.toISOString() };
}
