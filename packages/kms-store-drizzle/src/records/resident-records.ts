import {
  KmsError,
  type ResidentClaim,
  type ResidentClaims,
  type ResidentKeyName,
  type ResidentVersion,
} from '@qnsp/kms-core';
import { and, eq, sql } from 'drizzle-orm';
import { keyVersions } from '../schema/key-versions.ts';
import { residentClaims } from '../schema/resident-claims.ts';
import { tenants } from '../schema/tenants.ts';
import { requireSeen, requireSystem, within } from '../driver/scope.ts';
import type { Session } from '../driver/session.ts';

export class DrizzleResidents implements ResidentClaims {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async claim({ providerId, name, kind }: Omit<ResidentClaim, 'claimedAt'>): Promise<void> {
    requireSeen(this.#session.scope, name.tenantId);
    const { tenantId, keyId, version } = name;
    const claimed = await this.#session.run((db) =>
      db
        .insert(residentClaims)
        .values({ tenantId, keyId, version, providerId, kind, claimedAt: this.#session.now })
        .onConflictDoNothing()
        .returning({ version: residentClaims.version }),
    );
    if (claimed.length === 0) throw new KmsError('CONFLICT', 'This version of the key is being made.');
  }

  async release(providerId: string, { keyId, version }: ResidentKeyName): Promise<boolean> {
    const where = and(
      eq(residentClaims.keyId, keyId),
      eq(residentClaims.version, version),
      eq(residentClaims.providerId, providerId),
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
      db.select().from(residentClaims).where(eq(residentClaims.providerId, providerId)),
    );
    return rows.map(({ tenantId, keyId, version, kind, claimedAt }) => ({
      providerId,
      name: { tenantId, keyId, version },
      kind,
      claimedAt,
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
