import { KmsError } from '@qnsp/kms-core';
import type { ResidentClaim, ResidentClaims, ResidentVersion } from '@qnsp/kms-core/ports';
import { and, eq, getTableColumns, sql } from 'drizzle-orm';
import { keyVersions } from '../schema/key-versions.ts';
import { residentClaims } from '../schema/resident-claims.ts';
import { tenants } from '../schema/tenants.ts';
import { requireSeen, requireSystem, within } from '../driver/scope.ts';
import type { Session } from '../driver/session.ts';

/**
 * The transaction that wrote the row: a claim is renewed by deleting and inserting it, never by changing it, so this tells
 * it from every other one of its name, and no other transaction that is under way at the time can have the same number.
 * After a restore it is another one: the claim is then nobody's, and the sweep's once it is old.
 */
const mark = sql<string>`${residentClaims}.xmin::text`;
const CLAIM = { ...getTableColumns(residentClaims), mark };

export class DrizzleResidents implements ResidentClaims {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async claim({ providerId, name, kind }: Omit<ResidentClaim, 'claimedAt' | 'mark'>): Promise<ResidentClaim> {
    requireSeen(this.#session.scope, name.tenantId);
    const { tenantId, keyId, version } = name;
    const [claimed] = await this.#session.run((db) =>
      db
        .insert(residentClaims)
        .values({ tenantId, keyId, version, providerId, kind, claimedAt: this.#session.now })
        .onConflictDoNothing()
        .returning({ claimedAt: residentClaims.claimedAt, mark }),
    );
    if (claimed === undefined) throw new KmsError('CONFLICT', 'This version of the key is being made.');
    return { providerId, name, kind, ...claimed };
  }

  async renew(claim: ResidentClaim): Promise<ResidentClaim | undefined> {
    return (await this.release(claim)) ? this.claim(claim) : undefined;
  }

  async release({ providerId, name: { keyId, version }, ...own }: ResidentClaim): Promise<boolean> {
    const where = and(
      eq(residentClaims.keyId, keyId),
      eq(residentClaims.version, version),
      eq(residentClaims.providerId, providerId),
      // Numbers of transactions repeat after four billion of them, but not at the same time of day.
      eq(residentClaims.claimedAt, own.claimedAt),
      eq(mark, own.mark),
      within(this.#session.scope, residentClaims.tenantId),
    );
    const released = await this.#session.run((db) =>
      db.delete(residentClaims).where(where).returning({ version: residentClaims.version }),
    );
    return released.length > 0;
  }

  async claims(providerId: string): Promise<readonly ResidentClaim[]> {
    requireSystem(this.#session.scope);
    const rows = await this.#session.run((db) =>
      db.select(CLAIM).from(residentClaims).where(eq(residentClaims.providerId, providerId)),
    );
    return rows.map(({ tenantId, keyId, version, kind, claimedAt, mark: own }) => ({
      providerId,
      name: { tenantId, keyId, version },
      kind,
      claimedAt,
      mark: own,
    }));
  }

  async versions(providerId: string): Promise<readonly ResidentVersion[]> {
    requireSystem(this.#session.scope);
    const { tenantId, keyId, version, handle, state } = keyVersions;
    const rows = await this.#session.run((db) =>
      db
        .select({ tenantId, keyId, version, handle, state })
        .from(keyVersions)
        .innerJoin(tenants, and(eq(tenants.tenantId, keyVersions.tenantId), eq(tenants.state, 'active')))
        // In the words of the partial index.
        .where(and(eq(keyVersions.provider, providerId), sql`material_kind = 'resident'`)),
    );
    return rows.flatMap((row) =>
      row.handle === null
        ? []
        : [
            {
              name: { tenantId: row.tenantId, keyId: row.keyId, version: row.version },
              handle: row.handle,
              state: row.state,
            },
          ],
    );
  }
}
