import type { KeepEvidence } from '@qnsp/kms-core';
import type { CheckpointSigner } from './checkpoint-signature.ts';
import type { Deliver } from './delivery-client.ts';
import type { EvidenceReport } from './evidence-report.ts';
import { startEvidenceWorker } from './evidence-worker.ts';
import { GroupCommit } from './group-commit.ts';

/** Who signs evidence, where it is delivered, and how long it is kept here. */
export interface KeepEvidenceOptions {
  /** Signs the checkpoints. The same one in every process on a database. */
  readonly signer: CheckpointSigner;
  /** Takes sealed batches to where evidence is kept beyond the reach of this database. */
  readonly deliver: Deliver;
  /** Hears what was delivered, and what was not. Must not throw. */
  readonly report: (report: EvidenceReport) => void;
  /** How many events may wait to be delivered before operations are refused; default: 1,000,000. */
  readonly maxBacklog?: number;
  /** How long delivered events stay in the database, in days; default: forever. */
  readonly retentionDays?: number;
}

const MAX_BACKLOG = 1_000_000;

/**
 * Has a KMS keep evidence: the event of each call is durable before its answer is given, and is sealed into the chain of its
 * tenant, signed and delivered afterwards. Any number of processes may do so on one database.
 *
 * @example
 * import { generateKeyPairSync, randomBytes } from 'node:crypto';
 * import { checkpointSigner, deliveryClient, keepEvidence } from '@qnsp/kms-audit';
 * import { openKms, softwareRoot } from '@qnsp/kms-core';
 * import { inMemoryStorage } from '@qnsp/kms-core/testing';
 * const pem = generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' });
 * await using kms = await openKms({
 *   storage: inMemoryStorage(),
 *   roots: softwareRoot('software', randomBytes(32)),
 *   alert: ({ message }) => console.error(message),
 *   evidence: keepEvidence({
 *     signer: checkpointSigner(pem),
 *     deliver: deliveryClient({ url: new URL('https://audit.example'), bearerToken: 'secret', allowedHosts: new Set() }),
 *     report: () => {},
 *   }),
 * });
 */
export function keepEvidence({
  signer,
  deliver,
  report,
  maxBacklog = MAX_BACKLOG,
  retentionDays,
}: KeepEvidenceOptions): KeepEvidence {
  return ({ store, clock }) => {
    const trail = new GroupCommit(store, { maxBacklog });
    let worker: { stop(): Promise<void> } | undefined;
    return {
      trail,
      begin: (epoch) => {
        const retention = retentionDays === undefined ? {} : { retentionDays };
        worker = startEvidenceWorker({ store, signer, deliver, trail, clock, epoch, report, ...retention });
      },
      close: async () => {
        await trail.close();
        await worker?.stop();
      },
    };
  };
}
