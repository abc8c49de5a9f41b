import { andThen, type MaybePromise } from '../engines/engine.ts';
import { RefusedToken, type TokenIdentity } from '../keyring/token-ring.ts';
import type { Kms } from './kms.ts';

/**
 * Finds out who presents a token, without a promise when the token is held in memory.
 *
 * @throws KmsError `UNAUTHORIZED`, the same for an unknown, an expired and a revoked token; `INTERNAL_ERROR` for a token
 *   whose record somebody changed.
 */
export function authenticateToken(kms: Pick<Kms, 'tokens' | 'clock'>, token: string): MaybePromise<TokenIdentity> {
  return andThen(kms.tokens.find(token), ({ expiresAt, identity }) => {
    if (expiresAt !== null && expiresAt.getTime() <= kms.clock()) throw new RefusedToken(identity);
    return identity;
  });
}
