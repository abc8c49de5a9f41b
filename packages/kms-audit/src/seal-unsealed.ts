import { type AuditEvent, KmsError, type TenantId } from '@qnsp/kms-core';
import type { EvidenceEpoch, EvidenceStore } from '@qnsp/kms-core/ports';
import { canonicalJson } from './canonical-json.ts';
import type { CheckpointSigner } from './checkpoint-signature.ts';
import { readAuditEvent } from './export-lines.ts';
import { sealBatch } from './seal-batch.ts';

/** The largest batch: it goes to the audit service as one request. */
export const MAX_BATCH_EVENTS = 100;
const MAX_BATCH_BYTES = 512 * 1024;
/** What hashes, the checkpoint and the frame add to the events, rounded up. */
const CHECKPOINT_BYTES = 16 * 1024;
const PLACE_BYTES = 256;
/** Then it is the turn of another tenant. */
const BATCHES_PER_TURN = 10;

/**
 * Seals what is waiting of one tenant, batch by batch, up to a share. Returns whether more may be waiting.
 *
 * @param rest waits for as long as appropriate after a batch of this many events
 * @param epoch the life of the database at hand
 * @throws KmsError `INTERNAL_ERROR` when what waits is not an event of the tenant: it was changed behind the service's
 * back, and the chain of that tenant stops until somebody has looked into it.
 */
export async function sealUnsealed(
  store: Pick<EvidenceStore, 'extendChain'>,
  signer: CheckpointSigner,
  tenantId: TenantId,
  clock: () => number,
  rest: (events: number) => Promise<void> = async () => undefined,
  maxBatches = BATCHES_PER_TURN,
  epoch: EvidenceEpoch | null = null,
): Promise<boolean> {
  for (let batches = 0; batches < maxBatches; batches += 1) {
    let left = false;
    const sealed = await store.extendChain(tenantId, MAX_BATCH_EVENTS, (head, waiting) => {
      const events = fitting(tenantId, waiting);
      // A batch that was cut by its size leaves some of what was seen, a full one perhaps what was not.
      left = events.length < waiting.length || waiting.length === MAX_BATCH_EVENTS;
      return sealBatch(signer, head, events, new Date(clock()), epoch);
    });
    if (sealed > 0) await rest(sealed);
    if (sealed === 0 || !left) return false;
  }
  return true;
}

function fitting(tenantId: TenantId, waiting: readonly unknown[]): AuditEvent[] {
  const events: AuditEvent[] = [];
  let bytes = CHECKPOINT_BYTES;
  for (const value of waiting) {
    const event = readAuditEvent(value);
    if (event === undefined || event.tenantId !== tenantId)
      throw new KmsError(
        'INTERNAL_ERROR',
        `The outbox of the tenant ${tenantId} holds something that is not one of its events.`,
      );
    bytes += Buffer.byteLength(canonicalJson(event)) + PLACE_BYTES;
    if (bytes > MAX_BATCH_BYTES && events.length > 0) break;
    events.push(event);
  }
  return events;
}
