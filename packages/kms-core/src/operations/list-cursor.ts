import { KmsError, badRequest } from '../errors/kms-error.ts';
import { sortedJson } from '../encoding/sorted-json.ts';
import type { KeyHierarchy } from '../hierarchy/key-hierarchy.ts';
import { openJson, sealJson } from '../hierarchy/sealed-json.ts';
import { SYSTEM_TENANT, type TenantId } from '../model/identifiers.ts';

const MOST_CHARACTERS = 512;
const USE = 'qnsp-kms/v1/list-cursor';

/** The cursors of one list under one query. */
export interface ListCursors<Position> {
  /** Where the list continues, as an opaque text: the last item of a page may be one that the caller may not see. */
  seal(position: Position): string;
  /** Throws `BAD_REQUEST` for anything but a cursor of this list, tenant and query. */
  open(cursor: string): Position;
}

/**
 * Makes the cursors of a list: sealed under a key of the service, and bound to the tenant, the list and what it is filtered
 * by. Under a key of the service, because a list may outlive its tenant's master key.
 *
 * @param query the filters; what is `undefined` counts as absent
 */
export async function listCursors<Position>(
  hierarchy: KeyHierarchy,
  tenantId: TenantId,
  list: string,
  query: Readonly<Record<string, string | number | Date | undefined>>,
): Promise<ListCursors<Position>> {
  const chain = await hierarchy.masterKeys(SYSTEM_TENANT);
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value instanceof Date ? value.toISOString() : value] as const],
  );
  const boundTo = [tenantId, list, sortedJson(Object.fromEntries(given))];
  return {
    seal: (position) => Buffer.from(sealJson(chain, USE, boundTo, position)).toString('base64url'),
    open: (cursor) => {
      if (typeof cursor !== 'string' || cursor.length > MOST_CHARACTERS) throw notACursor();
      const bytes = Buffer.from(cursor, 'base64url');
      // The same bytes have one spelling.
      if (bytes.toString('base64url') !== cursor) throw notACursor();
      try {
        // What opens was sealed above, for this same list.
        return openJson(chain, USE, boundTo, bytes) as Position;
      } catch (error) {
        if (KmsError.is(error) && error.code === 'DECRYPT_FAILED') throw notACursor();
        throw error;
      }
    },
  };
}

function notACursor(): KmsError {
  return badRequest('cursor', 'not a cursor that this list returned for this query');
}
