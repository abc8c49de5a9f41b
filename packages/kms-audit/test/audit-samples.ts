import { generateKeyPairSync } from 'node:crypto';
import {
  type ChainHead,
  type Checkpoint,
  checkpointSigner,
  emptyChain,
  exportLines,
  type SealedBatch,
  sealBatch,
} from '@qnsp/kms-audit';
import type { AuditEvent } from '@qnsp/kms-core';
import { newId } from '@qnsp/kms-core/ports';

export const TENANT = '0198d2a4-7b1c-7000-8000-000000000001';

export function sampleEvent(change: Partial<AuditEvent> = {}): AuditEvent {
  return {
    eventId: newId(),
    eventType: 'kms.encrypt',
    timestamp: '2026-03-01T10:00:00.001Z',
    tenantId: TENANT,
    actor: { type: 'service', id: '0198d2a4-7b1c-7000-8000-00000000000a' },
    resource: { type: 'key', id: '0198d2a4-7b1c-7000-8000-00000000000b', version: 1 },
    action: 'encrypt',
    result: 'success',
    context: { requestId: 'r-1', userAgent: 'client/1', source: 'api', ip: '127.0.0.1' },
    request: { contextKeys: ['order'] },
    ...change,
  };
}

export function samplePem(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' });
}

/** Batches of the given sizes, one after another in one chain, and their export. */
export async function sampleExport(
  sizes: readonly number[],
  privateKeyPem: string = samplePem(),
  sealedAt: (index: number) => Date = () => new Date('2026-03-01T10:00:01Z'),
) {
  const signer = checkpointSigner(privateKeyPem);
  const batches: SealedBatch[] = [];
  let head: ChainHead = emptyChain(TENANT);
  for (const [index, size] of sizes.entries()) {
    const batch = await sealBatch(
      signer,
      head,
      Array.from({ length: size }, () => sampleEvent()),
      sealedAt(index),
    );
    batches.push(batch);
    ({ head } = batch);
  }
  const lines = batches.flatMap(({ events, checkpoint }) => exportLines(events, checkpoint).trimEnd().split('\n'));
  const latest: Checkpoint | undefined = batches.at(-1)?.checkpoint;
  if (latest === undefined) throw new Error('an export has at least one batch');
  return { batches, lines, latest, publicKeyPem: signer.publicKeyPem };
}
