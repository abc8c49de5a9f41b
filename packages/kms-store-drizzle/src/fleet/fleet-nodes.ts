import type { FleetNode, FleetNodes } from '@qnsp/kms-core/ports';
import { and, asc, eq, gt, lt, ne, sql } from 'drizzle-orm';
import type { Db, Driver } from '../driver/driver.ts';
import { fleetNodes } from '../schema/fleet-nodes.ts';
import { toStoreError } from '../driver/store-errors.ts';

/** The fleet of a PostgreSQL database, by the clock of that database. */
export class DrizzleFleetNodes implements FleetNodes {
  readonly #driver: Driver;

  constructor(driver: Driver) {
    this.#driver = driver;
  }

  join(
    node: Omit<FleetNode, 'startedAt'>,
    forMs: number,
    mayJoin: (others: readonly FleetNode[]) => boolean,
  ): Promise<readonly FleetNode[]> {
    return this.#run(async (db, now) => {
      // One joins at a time.
      await db.execute(sql`select pg_advisory_xact_lock(${sql.raw(this.#driver.names.locks.fleet)})`);
      await db.delete(fleetNodes).where(lt(fleetNodes.aliveUntil, now));
      const others = await othersThan(db, now, node.nodeId);
      if (mayJoin(others))
        await db.insert(fleetNodes).values({ ...node, startedAt: now, aliveUntil: later(now, forMs) });
      return others;
    });
  }

  renew(node: Omit<FleetNode, 'startedAt'>, forMs: number): Promise<readonly FleetNode[]> {
    return this.#run(async (db, now) => {
      const aliveUntil = later(now, forMs);
      // Another one removes the row of a node that was cut off from the database for longer than it said. What a node says of itself may
      // have changed, and of a row that is there only its end can be.
      const where = eq(fleetNodes.nodeId, node.nodeId);
      const [before] = await db.delete(fleetNodes).where(where).returning({ startedAt: fleetNodes.startedAt });
      await db
        .insert(fleetNodes)
        .values({ ...node, startedAt: before?.startedAt ?? now, aliveUntil })
        .onConflictDoUpdate({ target: fleetNodes.nodeId, set: { aliveUntil } });
      return othersThan(db, now, node.nodeId);
    });
  }

  async leave(nodeId: string): Promise<void> {
    await this.#run((db) => db.delete(fleetNodes).where(eq(fleetNodes.nodeId, nodeId)));
  }

  #run<T>(work: (db: Db, now: Date) => Promise<T>): Promise<T> {
    return this.#driver.transaction({ kind: 'system' }, async (db, now) => {
      try {
        return await work(db, now);
      } catch (error) {
        throw toStoreError(error);
      }
    });
  }
}

async function othersThan(db: Db, now: Date, nodeId: string): Promise<readonly FleetNode[]> {
  return db
    .select({
      nodeId: fleetNodes.nodeId,
      version: fleetNodes.version,
      settings: fleetNodes.settings,
      startedAt: fleetNodes.startedAt,
    })
    .from(fleetNodes)
    .where(and(ne(fleetNodes.nodeId, nodeId), gt(fleetNodes.aliveUntil, now)))
    .orderBy(asc(fleetNodes.startedAt), asc(fleetNodes.nodeId));
}

function later(now: Date, byMs: number): Date {
  return new Date(now.getTime() + byMs);
}
