import type { Delivery, DeliveryOutcome } from '@qnsp/kms-core/ports';
import type { Database } from './database.ts';
import { toBatch } from './evidence-rows.ts';

/** Leases the chain whose next batch is due and whose turn was longest ago; `missing` when that batch is not there. */
export function claimDelivery(database: Database, owner: string, seconds: number): Delivery | 'missing' | undefined {
  const now = Date.now();
  const chain = database.row(
    `select * from chains where delivered < sequence and due_at <= ?1 and lease_until <= ?1
      order by turn, tenant_id limit 1`,
    now,
  );
  if (chain === undefined) return undefined;
  const tenantId = String(chain['tenant_id']);
  const lease = 'update chains set lease_owner = ?, lease_until = ? where tenant_id = ?';
  database.run(lease, owner, now + seconds * 1000, tenantId);
  const next = Number(chain['delivered']) + 1;
  const row = database.row('select * from checkpoints where tenant_id = ? and first_sequence = ?', tenantId, next);
  return row === undefined ? 'missing' : { ...toBatch(database, row), attempts: Number(chain['attempts']) };
}

/** Whose lease a delivery is: that of the owner, as long as nobody has ended it. */
const MINE = 'tenant_id = ? and lease_owner = ? and delivered = ? - 1';

export function renewDelivery(database: Database, owner: string, { checkpoint }: Delivery, seconds: number): void {
  const { tenantId, firstSequence } = checkpoint;
  const until = Date.now() + seconds * 1000;
  database.run(`update chains set lease_until = ? where ${MINE}`, until, tenantId, owner, firstSequence);
}

export function endDelivery(
  database: Database,
  owner: string,
  { checkpoint, attempts }: Delivery,
  outcome: DeliveryOutcome,
): void {
  const { tenantId, firstSequence, lastSequence } = checkpoint;
  const isPostponed = outcome.kind === 'postponed';
  const ended = database.run(
    `update chains set lease_owner = null, lease_until = 0, turn = (select max(turn) + 1 from chains),
      due_at = ?, attempts = ?, delivered = ? where ${MINE}`,
    Date.now() + (isPostponed ? outcome.seconds * 1000 : 0),
    isPostponed ? attempts + 1 : 0,
    isPostponed ? firstSequence - 1 : lastSequence,
    tenantId,
    owner,
    firstSequence,
  );
  if (ended === 0 || outcome.kind !== 'refused') return;
  const refuse = 'update checkpoints set refusal = ? where tenant_id = ? and first_sequence = ?';
  database.run(refuse, outcome.reason, tenantId, firstSequence);
}
