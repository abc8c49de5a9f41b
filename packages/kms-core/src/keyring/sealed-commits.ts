import { KmsError } from '../errors/kms-error.ts';
import type { MasterKeyChain } from '../hierarchy/master-key-chain.ts';
import { openCacheEntry, sealCacheEntry } from '../hierarchy/sealed-cache-entry.ts';
import type { KnownCommits } from '../ports/acknowledged-commits.ts';

/** What a process knew, and of which place of the database. */
export interface RememberedCommits extends KnownCommits {
  /** When the place was noticed, as RFC 3339 in UTC. Of one that was noticed later, nothing is known. */
  readonly placeNoticedAt: string;
}

/** The name under which the commits of a process are kept outside the database. */
export function commitsName(holder: string): string {
  return `commits:${holder}`;
}

/** Seals what is kept outside the database, bound to its holder, under the service's own master key. */
export function sealCommits(chain: MasterKeyChain, remembered: RememberedCommits): Uint8Array {
  return sealCacheEntry(chain, commitsName(remembered.holder), Buffer.from(JSON.stringify(remembered), 'utf8'));
}

/** Opens what {@link sealCommits} made for this holder. Throws `DECRYPT_FAILED` for anything else. */
export function openCommits(chain: MasterKeyChain, holder: string, sealed: Uint8Array): RememberedCommits {
  // What opens was written by `sealCommits`, so it has this shape.
  const remembered = JSON.parse(
    openCacheEntry(chain, commitsName(holder), sealed).toString('utf8'),
  ) as RememberedCommits;
  if (remembered.holder !== holder) throw new KmsError('DECRYPT_FAILED', 'The entry is about another process.');
  return remembered;
}
