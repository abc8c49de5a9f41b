import type { Caller } from '../access/caller.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { tokenAuthority } from '../hierarchy/token-authority.ts';
import type { Hands } from '../model/approval.ts';
import { isUuid } from '../model/identifiers.ts';
import { fieldOf, TOKEN_CREATOR, TOKEN_PARENT } from '../model/record-fields.ts';
import type { Kms } from './kms.ts';

/**
 * Whose hands a caller is in. Who creates a token is told its secret, so a token is in the hands of all that it descends from, within
 * its tenant: tokens that the platform made for several people of a tenant are theirs, but none of them is another than the platform. Who
 * binds an identity of an issuer is not told its secret, but may have bound one of their own.
 *
 * Asked outside of units of work: it reads records of all scopes.
 */
export async function handsOf({ store, hierarchy }: Pick<Kms, 'store' | 'hierarchy'>, caller: Caller): Promise<Hands> {
  const { subject, credential } = caller;
  const own = new Set([subject]);
  const madeBy = new Set(credential?.boundBy);
  if (credential?.tokenId === undefined) return { subject, own: [...own], madeBy: [...madeBy] };
  const authority = await tokenAuthority(hierarchy);
  let above: string | undefined = credential.tokenId;
  await store.transact({ kind: 'system' }, async (unit) => {
    for (let level = 0; above !== undefined && level < BOUNDS.lineageTokens; level += 1) {
      // Who made one without holding a token is no token either.
      if (!isUuid(above)) return;
      const record = await unit.tokens.get(above);
      // One that is there no longer may have been of the tenant.
      if (record !== undefined && level > 0 && record.tenantId === null) {
        own.delete(above);
        madeBy.add(above);
        return;
      }
      if (record === undefined || record.mac === null) return;
      authority.verify(record, 'hash');
      const creator = fieldOf(record.fields, TOKEN_CREATOR);
      above = fieldOf(record.fields, TOKEN_PARENT) ?? creator;
      if (above !== undefined) own.add(above);
    }
  });
  return { subject, own: [...own], madeBy: [...madeBy] };
}
