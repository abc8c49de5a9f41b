import { endOfToken, hasEnded } from '../access/api-token.ts';
import type { Caller } from '../access/caller.ts';
import { RefusedCredential } from '../access/refused-credential.ts';
import type { TokenAuthority } from '../hierarchy/token-authority.ts';
import type { UnitOfWork } from '../ports/store.ts';

/**
 * Holds the token that a call is made with until the unit ends: who revokes it and all that it created either finds what the call
 * makes, or comes first; and who rotates it waits, so that nothing is made that outlasts the overlap.
 *
 * The lock is exclusive though its holders change nothing of the token: PostgreSQL lets those who share a row pass one who waits to
 * change it, so that a stolen token could put off its own revocation by creating others without a pause.
 *
 * @returns the caller, whose credential ends when the stored token does: what a node holds of it can be from before its rotation
 * @throws KmsError `UNAUTHORIZED` when it has ended in the meantime
 */
export async function holdCredential(unit: UnitOfWork, authority: TokenAuthority, caller: Caller): Promise<Caller> {
  const { credential } = caller;
  // Tokens of the platform are in no tenant, and revoked by its configuration.
  if (credential?.tokenId === undefined || credential.tenantId === null) return caller;
  const record = await unit.tokens.get(credential.tokenId, { lock: true });
  if (record === undefined) throw new RefusedCredential(credential);
  authority.verify(record, record.mac === null ? 'legacy-hash' : 'hash');
  if (hasEnded(record, unit.now))
    throw new RefusedCredential(credential, record.revokedAt === null ? 'expired' : 'revoked');
  return { ...caller, credential: { ...credential, expiresAt: endOfToken(record) } };
}
