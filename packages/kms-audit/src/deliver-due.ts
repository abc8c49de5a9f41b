import type { TenantId } from '@qnsp/kms-core';
import type { Delivery, DeliveryOutcome, EvidenceStore } from '@qnsp/kms-core/ports';
import type { Deliver, DeliveryAnswer } from './delivery-client.ts';
import type { EvidenceReport } from './evidence-report.ts';
import { StuckBatches } from './stuck-batches.ts';

/**
 * Renewed for as long as a delivery takes: only the holder of the lease sends, and a node that is gone no longer holds
 * it.
 */
const LEASE_SECONDS = 5;
const RENEW_MS = 1000;
const FIRST_DELAY_SECONDS = 0.5;
const LONGEST_DELAY_SECONDS = 60;

/** After a pause for all tenants it is checked again whether the audit service still asks for it. */
const LONGEST_QUIET_SECONDS = 60;

/**
 * Delivers what is due, batch by batch, each tenant's in their order. What the audit service asks for with
 * `Retry-After` holds for the tenant of the batch; when it does so for two tenants in a row, it is meant for all of
 * them.
 *
 * @param rest waits for as long as appropriate after a batch of this many events
 * @returns for how many seconds to leave the audit service alone
 */
export async function deliverDue(
  store: Pick<EvidenceStore, 'claimDelivery' | 'renewDelivery' | 'endDelivery'>,
  deliver: Deliver,
  owner: string,
  report: (report: EvidenceReport) => void,
  stopped: AbortSignal,
  rest: (events: number) => Promise<void> = async () => undefined,
  stuck = new StuckBatches(),
): Promise<number> {
  let before: { readonly tenantId: TenantId; readonly seconds: number } | undefined;
  while (!stopped.aborted) {
    const delivery = await store.claimDelivery(owner, LEASE_SECONDS);
    if (delivery === undefined) return 0;
    const answer = await whileRenewing(
      () => store.renewDelivery(owner, delivery, LEASE_SECONDS),
      () => deliver(delivery, stopped),
    );
    const outcome = outcomeOf(answer, delivery.attempts);
    await store.endDelivery(owner, delivery, outcome);
    report(reportOf(delivery, answer, outcome));
    await rest(delivery.events.length);
    const { tenantId, checkpointId: batchId } = delivery.checkpoint;
    if (answer.kind !== 'failed') stuck.passed(tenantId);
    else if (answer.unnamedRefusal !== undefined && stuck.isDue(delivery))
      report({ kind: 'stuck', tenantId, batchId, attempts: delivery.attempts + 1, status: answer.unnamedRefusal });
    const seconds = answer.kind === 'failed' ? answer.retryAfterSeconds : null;
    if (seconds !== null && before !== undefined && before.tenantId !== tenantId)
      return Math.min(seconds, before.seconds, LONGEST_QUIET_SECONDS);
    before = seconds === null ? undefined : { tenantId, seconds };
  }
  return 0;
}

/** Keeps renewing the lease until the work has ended. */
async function whileRenewing<T>(renew: () => Promise<void>, work: () => Promise<T>): Promise<T> {
  let renewing = Promise.resolve();
  const timer = setInterval(() => {
    // If that fails, the lease expires: then another node sends the batch as well, which the audit service recognises
    // by its id.
    renewing = renewing.then(renew).catch(() => undefined);
  }, RENEW_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    // After the end of the delivery it would find nothing to renew.
    await renewing;
  }
}

function outcomeOf(answer: DeliveryAnswer, attempts: number): DeliveryOutcome {
  if (answer.kind === 'accepted') return { kind: 'delivered' };
  if (answer.kind === 'refused') return answer;
  return { kind: 'postponed', seconds: Math.max(answer.retryAfterSeconds ?? 0, retryDelay(attempts)) };
}

/** Doubles with each attempt up to a minute, and takes a random half of it, so that nodes do not fall into step. */
export function retryDelay(attempts: number, random: () => number = Math.random): number {
  const whole = Math.min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** Math.min(attempts, 16));
  return whole * (0.5 + random() / 2);
}

function reportOf(
  { checkpoint, events, attempts }: Delivery,
  answer: DeliveryAnswer,
  outcome: DeliveryOutcome,
): EvidenceReport {
  const what = { tenantId: checkpoint.tenantId, batchId: checkpoint.checkpointId };
  if (outcome.kind === 'delivered') return { kind: 'delivered', ...what, events: events.length };
  const reason = answer.kind === 'accepted' ? '' : answer.reason;
  if (outcome.kind === 'refused') return { kind: 'refused', ...what, reason };
  return { kind: 'postponed', ...what, attempts: attempts + 1, seconds: outcome.seconds, reason };
}
