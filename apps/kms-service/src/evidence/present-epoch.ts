import type { DatabaseCopies, EvidenceEpoch } from '@qnsp/kms-core';

/**
 * The life that the database is in, for the chains of evidence: a copy that was let serve begins one. `null` where the data has
 * been at one place since its beginning, or the store can not tell.
 */
export async function presentEpoch(copies: DatabaseCopies | undefined): Promise<EvidenceEpoch | null> {
  const copy = await copies?.look();
  if (copy === undefined || copy.dataAsOf === null || copy.settled === null) return null;
  return { since: copy.settled.at.toISOString(), dataAsOf: copy.dataAsOf.toISOString() };
}
