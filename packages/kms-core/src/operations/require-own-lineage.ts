import { type ApiTokenRecord, identityOfToken } from '../access/api-token.ts';
import type { Caller } from '../access/caller.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { KmsError } from '../errors/kms-error.ts';
import type { TokenAuthority } from '../hierarchy/token-authority.ts';
import { fieldOf, TOKEN_PARENT } from '../model/record-fields.ts';
import type { UnitOfWork } from '../ports/store.ts';

/**
 * Checks that a token which another one is to rotate was created by that one, or by one that it created, level by level. Who revokes a
 * stolen token with its lineage then also ends all whose secrets it was told. Callers who hold no token of the tenant have no lineage,
 * and may rotate each.
 *
 * @param record authentic
 * @throws KmsError `FORBIDDEN`
 */
export async function requireOwnLineage(
  unit: UnitOfWork,
  authority: TokenAuthority,
  { subject, credential }: Caller,
  record: ApiTokenRecord,
): Promise<void> {
  if (credential?.tokenId === undefined || credential.tenantId === null) return;
  // The one that is presented may have been replaced: it must not get at the secret of the one that is to stay.
  if (identityOfToken(record) === subject)
    throw new KmsError(
      'FORBIDDEN',
      'The token is the same caller as the credential, but not the credential itself. Make the call with the token that is to be rotated.',
    );
  let parent = fieldOf(record.fields, TOKEN_PARENT);
  for (let level = 0; parent !== undefined && level < BOUNDS.lineageTokens; level += 1) {
    if (parent === subject) return;
    const above = await unit.tokens.get(parent);
    if (above === undefined || above.mac === null) break;
    authority.verify(above, 'hash');
    parent = fieldOf(above.fields, TOKEN_PARENT);
  }
  throw new KmsError(
    'FORBIDDEN',
    'A token rotates itself and what it created, level by level. This one came from elsewhere: have it rotate itself, or create another one and revoke it.',
  );
}
