import { type KeyId, KmsError, type TenantId } from '@qnsp/kms-core';
import {
  checkReseal,
  type FoundIdentities,
  type KeyRecord,
  type SealCounts,
  type SealRecords,
} from '@qnsp/kms-core/ports';
import { and, asc, eq, gt, lt, max, ne, type SQL, sql } from 'drizzle-orm';
import { requireSeen, requireSystem, within } from '../driver/scope.ts';
import type { Session } from '../driver/session.ts';
import { identityBindings, identityDenials } from '../schema/identities.ts';
import { keyVersions } from '../schema/key-versions.ts';
import { keys } from '../schema/keys.ts';
import { tenantMasterKeyWraps, tenants } from '../schema/tenants.ts';
import { macColumns, withMac } from './mac-columns.ts';
import { readKeys } from './read-keys.ts';

/** In the words of the partial index. */
const SEALED = sql`material_kind = 'sealed'`;

export class DrizzleSeals implements SealRecords {
  readonly #session: Session;
  /** The keys as this unit has locked them. */
  readonly #locked = new Map<KeyId, KeyRecord>();

  constructor(session: Session) {
    this.#session = session;
  }

  async unfinished(limit: number, after: TenantId | null): Promise<readonly TenantId[]> {
    requireSystem(this.#session.scope);
    const { tenantId, tmkVersion } = tenantMasterKeyWraps;
    const rows = await this.#session.run((db) =>
      db
        .select({ tenantId })
        .from(tenantMasterKeyWraps)
        .where(after === null ? undefined : gt(tenantId, after))
        .groupBy(tenantId)
        .having(sql`max(${tmkVersion}) > min(${tmkVersion})`)
        .orderBy(tenantId)
        .limit(limit),
    );
    return rows.map((row) => row.tenantId);
  }

  async count(tenantId: TenantId, tmkVersion: number): Promise<SealCounts> {
    const ofKeys = and(eq(keys.tenantId, tenantId), within(this.#session.scope, keys.tenantId));
    const ofVersions = and(eq(keyVersions.tenantId, tenantId), within(this.#session.scope, keyVersions.tenantId));
    const ofBindings = and(
      eq(identityBindings.tenantId, tenantId),
      within(this.#session.scope, identityBindings.tenantId),
    );
    const ofDenials = and(
      eq(identityDenials.tenantId, tenantId),
      within(this.#session.scope, identityDenials.tenantId),
    );
    const counted = async (counts: SQL<number>) => {
      const [row] = await this.#session.run((db) => db.select({ count: counts }).from(sql`(select) as nothing`));
      return Number(row?.count);
    };
    return {
      total: await counted(sql`
        (select count(*) from ${keys} where ${ofKeys}) + (select count(*) from ${identityBindings} where ${ofBindings})
        + (select count(*) from ${identityDenials} where ${ofDenials})`),
      // A key that was changed since has its MAC under the newest version, and its material still under an earlier one.
      left: await counted(sql`
        (select count(*) from (
          select key_id from ${keys} where ${and(ofKeys, lt(keys.macTmkVersion, tmkVersion))}
          union select key_id from ${keyVersions} where ${and(ofVersions, SEALED, lt(keyVersions.tmkVersion, tmkVersion))}
        ) as left_keys)
        + (select count(*) from ${identityBindings} where ${and(ofBindings, lt(identityBindings.macTmkVersion, tmkVersion))})
        + (select count(*) from ${identityDenials} where ${and(ofDenials, lt(identityDenials.macTmkVersion, tmkVersion))})`),
    };
  }

  async lockKeys(
    tenantId: TenantId,
    tmkVersion: number,
    limit: number,
    except: readonly KeyId[],
  ): Promise<readonly KeyRecord[]> {
    const others = sql`${keys.keyId} <> all (${uuids(except)})`;
    const ofTenant = and(eq(keys.tenantId, tenantId), within(this.#session.scope, keys.tenantId), others);
    const byMac = await this.#session.run((db) =>
      db
        .select({ keyId: keys.keyId })
        .from(keys)
        .where(and(ofTenant, lt(keys.macTmkVersion, tmkVersion)))
        .orderBy(asc(keys.macTmkVersion), asc(keys.keyId))
        .limit(limit)
        .for('update', { skipLocked: true }),
    );
    const rest = limit - byMac.length;
    const byMaterial =
      rest === 0
        ? []
        : await this.#session.run((db) => {
            const sealed = db
              .select({ keyId: keyVersions.keyId })
              .from(keyVersions)
              .where(
                and(
                  eq(keyVersions.tenantId, tenantId),
                  SEALED,
                  lt(keyVersions.tmkVersion, tmkVersion),
                  sql`${keyVersions.keyId} <> all (${uuids([...except, ...byMac.map(({ keyId }) => keyId)])})`,
                ),
              )
              .orderBy(asc(keyVersions.tmkVersion), asc(keyVersions.keyId))
              .limit(rest);
            return db
              .select({ keyId: keys.keyId })
              .from(keys)
              .where(and(ofTenant, sql`${keys.keyId} = any (array(${sealed}))`))
              .for('update', { skipLocked: true });
          });
    const ids = [...byMac, ...byMaterial].map(({ keyId }) => keyId);
    if (ids.length === 0) return [];
    const where = sql`${keys.keyId} = any (${uuids(ids)})`;
    const found = await readKeys(this.#session, { name: 'read_to_reseal', where });
    for (const key of found) this.#locked.set(key.keyId, key);
    return found;
  }

  async resealKey(key: KeyRecord): Promise<void> {
    requireSeen(this.#session.scope, key.tenantId);
    const { keyId, tenantId, mac } = key;
    const before = this.#locked.get(keyId);
    if (before === undefined) throw new KmsError('INTERNAL_ERROR', 'The key was not locked to be sealed again.');
    checkReseal(before, key);
    const stored = await this.#session.run((db) =>
      db
        .update(keys)
        .set(macColumns(mac))
        .where(and(eq(keys.keyId, keyId), eq(keys.tenantId, tenantId), eq(keys.revision, key.revision)))
        .returning({ keyId: keys.keyId }),
    );
    if (stored.length === 0) throw notAsItWas();
    const changes = key.versions.flatMap(({ version, material }, index) => {
      const old = before.versions[index]?.material;
      const isSame = material.kind !== 'sealed' || (old?.kind === 'sealed' && old.tmkVersion === material.tmkVersion);
      return isSame ? [] : { version, tmk_version: material.tmkVersion, sealed: textOf(material.sealed) };
    });
    if (changes.length > 0) {
      const resealed = await this.#session.run((db) =>
        db
          .update(keyVersions)
          .set({ tmkVersion: sql`change.tmk_version`, sealed: sql`decode(change.sealed, 'base64')` })
          .from(
            sql`jsonb_to_recordset(${JSON.stringify(changes)}::jsonb) as change("version" integer, "tmk_version" integer, "sealed" text)`,
          )
          .where(
            and(
              eq(keyVersions.tenantId, tenantId),
              eq(keyVersions.keyId, keyId),
              SEALED,
              sql`${keyVersions.version} = change.version`,
            ),
          )
          .returning({ version: keyVersions.version }),
      );
      if (resealed.length !== changes.length) throw notAsItWas();
    }
    this.#locked.set(keyId, key);
  }

  async lockIdentities(
    tenantId: TenantId,
    tmkVersion: number,
    limit: number,
    except: readonly string[],
  ): Promise<FoundIdentities> {
    const { bindingId, macTmkVersion: ofBinding } = identityBindings;
    const { denialId, macTmkVersion: ofDenial } = identityDenials;
    const bindings = await this.#session.run((db) =>
      db
        .select()
        .from(identityBindings)
        .where(
          and(
            eq(identityBindings.tenantId, tenantId),
            within(this.#session.scope, identityBindings.tenantId),
            lt(ofBinding, tmkVersion),
            sql`${bindingId} <> all (${uuids(except)})`,
          ),
        )
        .orderBy(asc(ofBinding), asc(bindingId))
        .limit(limit)
        .for('update', { skipLocked: true }),
    );
    const denials = await this.#session.run((db) =>
      db
        .select()
        .from(identityDenials)
        .where(
          and(
            eq(identityDenials.tenantId, tenantId),
            within(this.#session.scope, identityDenials.tenantId),
            lt(ofDenial, tmkVersion),
            sql`${denialId} <> all (${uuids(except)})`,
          ),
        )
        .orderBy(asc(ofDenial), asc(denialId))
        .limit(limit)
        .for('update', { skipLocked: true }),
    );
    return { bindings: bindings.map(withMac), denials: denials.map(withMac) };
  }

  async resealIdentities({ bindings, denials }: FoundIdentities): Promise<void> {
    for (const { tenantId } of [...bindings, ...denials]) requireSeen(this.#session.scope, tenantId);
    const values = {
      macFormat: sql`change.format`,
      macTmkVersion: sql`change.tmk_version`,
      macTag: sql`decode(change.tag, 'base64')`,
    };
    if (bindings.length > 0) {
      const resealed = await this.#session.run((db) =>
        db
          .update(identityBindings)
          .set(values)
          .from(macChanges(bindings.map(({ bindingId, mac }) => ({ id: bindingId, mac }))))
          .where(sql`${identityBindings.bindingId} = change.id`)
          .returning({ id: identityBindings.bindingId }),
      );
      if (resealed.length !== bindings.length) throw notAsItWas();
    }
    if (denials.length > 0) {
      const resealed = await this.#session.run((db) =>
        db
          .update(identityDenials)
          .set(values)
          .from(macChanges(denials.map(({ denialId, mac }) => ({ id: denialId, mac }))))
          .where(sql`${identityDenials.denialId} = change.id`)
          .returning({ id: identityDenials.denialId }),
      );
      if (resealed.length !== denials.length) throw notAsItWas();
    }
  }

  async retire(tenantId: TenantId, tmkVersion: number): Promise<void> {
    requireSystem(this.#session.scope);
    const wraps = tenantMasterKeyWraps;
    // Everyone who writes under a master key shares the row of the tenant until the end: what is counted below is all there will be.
    await this.#session.run((db) =>
      db
        .select({ tenantId: tenants.tenantId })
        .from(tenants)
        .where(eq(tenants.tenantId, tenantId))
        .for('no key update'),
    );
    const { left } = await this.count(tenantId, tmkVersion);
    const [newest] = await this.#session.run((db) =>
      db
        .select({ version: max(wraps.tmkVersion) })
        .from(wraps)
        .where(eq(wraps.tenantId, tenantId)),
    );
    const [own] = await this.#session.run((db) =>
      db
        .select({ version: wraps.tmkVersion })
        .from(wraps)
        .where(and(eq(wraps.tenantId, tenantId), eq(wraps.tmkVersion, tmkVersion)))
        .limit(1),
    );
    if (left > 0 || own === undefined || newest?.version !== tmkVersion)
      throw new KmsError('CONFLICT', 'The master key is still needed.');
    await this.#session.run((db) =>
      db.delete(wraps).where(and(eq(wraps.tenantId, tenantId), lt(wraps.tmkVersion, tmkVersion))),
    );
    await this.#session.run((db) =>
      db
        .update(tenants)
        .set({ oldestTmkVersion: tmkVersion })
        .where(and(eq(tenants.tenantId, tenantId), ne(tenants.oldestTmkVersion, tmkVersion))),
    );
  }
}

function macChanges(records: readonly { readonly id: string; readonly mac: KeyRecord['mac'] }[]): SQL {
  const changes = records.map(({ id, mac: { format, tmkVersion, tag } }) => {
    return { id, format, tmk_version: tmkVersion, tag: textOf(tag) };
  });
  return sql`jsonb_to_recordset(${JSON.stringify(changes)}::jsonb) as change("id" uuid, "format" integer, "tmk_version" integer, "tag" text)`;
}

/** As one parameter, however many there are. */
function uuids(ids: readonly string[]): SQL {
  return sql`${`{${ids.join(',')}}`}::uuid[]`;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

function notAsItWas(): KmsError {
  return new KmsError('INTERNAL_ERROR', 'What is to be sealed again is not as it was.');
}
