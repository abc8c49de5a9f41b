import { tokenIdOf } from '../access/access-key.ts';
import type { Identity } from '../access/identity.ts';
import { notAuthorized, RefusedCredential } from '../access/refused-credential.ts';
import type { MaybePromise } from '../base/maybe-promise.ts';
import type { LiveToken } from '../keyring/token-ring.ts';
import type { CredentialVerifier, PresentedCredentials, PresentedSignature } from '../ports/credential-verifier.ts';
import { KmsError } from '../errors/kms-error.ts';
import { TOKEN_PREFIX } from './api-tokens.ts';
import type { Kms } from './kms.ts';

/**
 * Finds out who makes a call, by the first verifier that knows what is presented. Without a promise where none is needed.
 *
 * @param first which of them is asked first
 * @throws KmsError `UNAUTHORIZED` when no verifier knows it, and whatever the one throws that does.
 */
export function verifyCredentials(
  verifiers: readonly CredentialVerifier[],
  presented: PresentedCredentials,
  first = 0,
): MaybePromise<Identity> {
  for (let at = first; at < verifiers.length; at += 1) {
    const found = verifiers[at]?.verify(presented);
    if (found instanceof Promise)
      return found.then((identity) => identity ?? verifyCredentials(verifiers, presented, at + 1));
    if (found !== undefined) return found;
  }
  throw notAuthorized();
}

/** Whether one of the verifiers would answer from memory. */
export function holdsCredentials(verifiers: readonly CredentialVerifier[], presented: PresentedCredentials): boolean {
  return verifiers.some((verifier) => verifier.holds?.(presented) === true);
}

/**
 * Finds out who presents a token, without a promise when the token is held in memory.
 *
 * @throws KmsError `UNAUTHORIZED`, the same for an unknown, an expired and a revoked token; `INTERNAL_ERROR` for a token
 *   whose record somebody changed.
 */
export function authenticateToken(kms: Pick<Kms, 'tokens' | 'clock'>, token: string): MaybePromise<Identity> {
  const found = kms.tokens.find(token);
  return found instanceof Promise ? found.then((late) => unexpired(kms, late)) : unexpired(kms, found);
}

function unexpired({ tokens, clock }: Pick<Kms, 'tokens' | 'clock'>, live: LiveToken): Identity {
  const { tokenId, endsAt, identity, noted } = live;
  const now = clock();
  if (endsAt !== null && !(endsAt.getTime() > now)) throw new RefusedCredential(identity, 'expired');
  if (!(now < noted.until)) tokens.uses.note(tokenId, noted, now);
  return identity;
}

/** Checks API tokens: whatever begins as one is taken for one. */
export function apiTokenVerifier(kms: Pick<Kms, 'tokens' | 'clock'>): CredentialVerifier {
  return {
    verify: ({ bearer }) =>
      bearer !== undefined && bearer.startsWith(TOKEN_PREFIX) ? authenticateToken(kms, bearer) : undefined,
    holds: ({ bearer }) => bearer !== undefined && bearer.startsWith(TOKEN_PREFIX) && kms.tokens.holds(bearer),
  };
}

/** Checks signatures by the access keys of API tokens. */
export function accessKeyVerifier(kms: Pick<Kms, 'tokens' | 'clock'>): CredentialVerifier {
  return {
    verify: ({ signature }) => {
      if (signature === undefined) return undefined;
      const found = kms.tokens.findSigner(tokenIdOf(signature.accessKeyId), signature);
      return found instanceof Promise ? found.then((late) => unexpired(kms, late)) : unexpired(kms, found);
    },
    holds: ({ signature }) => signature !== undefined && isHeld(kms, signature),
  };
}

/** An access key id is no secret: only who signs with the key of one that is held is let in like who presents a token that is. */
function isHeld({ tokens }: Pick<Kms, 'tokens'>, { accessKeyId, prove }: PresentedSignature): boolean {
  const tokenId = tokenIdOf(accessKeyId);
  const held = tokenId === undefined ? undefined : tokens.heldSigner(tokenId);
  if (held === undefined) return false;
  try {
    prove(held.accessKey);
    return true;
  } catch (error) {
    if (KmsError.is(error) && error.code === 'UNAUTHORIZED') return false;
    throw error;
  }
}
