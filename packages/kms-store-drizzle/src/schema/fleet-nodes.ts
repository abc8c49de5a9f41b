import type { FleetNode } from '@qnsp/kms-core/ports';
import { jsonb, text, uuid } from 'drizzle-orm/pg-core';
import { instant, kms } from './columns.ts';

/** The processes that work on this database. One that ended without signing off stays until `alive_until`. */
export const fleetNodes = kms.table('fleet_nodes', {
  nodeId: uuid('node_id').primaryKey(),
  version: text('version').notNull(),
  settings: jsonb('settings').$type<FleetNode['settings']>().notNull(),
  startedAt: instant('started_at').notNull(),
  aliveUntil: instant('alive_until').notNull(),
});
