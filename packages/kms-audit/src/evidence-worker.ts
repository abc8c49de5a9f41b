import { randomUUID } from 'node:crypto';
import { KmsError, type TenantId } from '@qnsp/kms-core';
import type { EvidenceEpoch, EvidenceStore } from '@qnsp/kms-core/ports';
import type { CheckpointSigner } from './checkpoint-signature.ts';
import { deliverDue } from './deliver-due.ts';
import type { Deliver } from './delivery-client.ts';
import type { EvidenceReport } from './evidence-report.ts';
import { mayHaveShare } from './fair-share.ts';
import type { GroupCommit } from './group-commit.ts';
import { Pace } from './pace.ts';
import { SupersededKeyError } from './seal-batch.ts';
import { sealUnsealed } from './seal-unsealed.ts';
import { StuckBatches } from './stuck-batches.ts';

/** What the worker seals, where it delivers to, and who hears of it. */
export interface EvidenceWorkerOptions {
  readonly store: EvidenceStore;
  readonly signer: CheckpointSigner;
  readonly deliver: Deliver;
  /** Called with the size of the backlog. */
  readonly trail: Pick<GroupCommit, 'maxBacklog' | 'setBacklog'>;
  /** The epoch of the database that the store is in; `null` if it has had only one. */
  readonly epoch?: EvidenceEpoch | null;
  readonly report: (report: EvidenceReport) => void;
  /** How long events stay in the store after delivery; default: forever. */
  readonly retentionDays?: number;
  /** Pause between two checks for waiting events; default: 200. */
  readonly intervalMs?: number;
  readonly clock?: () => number;
  /** Whether the process is so busy that its requests should go first; default: never. */
  readonly isBusy?: () => boolean;
}

const RETENTION_INTERVAL_MS = 60_000;
const MILLISECONDS_PER_DAY = 24 * 60 * 60 * 1000;
/** A chain that another key has taken over is left to the nodes that have this one. */
const SUPERSEDED_PAUSE_MS = 10_000;
const RETIRED_AT_ONCE = 20;
/**
 * A database that was out of reach may come back as a lagging standby. A node that misses something in it finds that
 * out as soon as it is back, and says so; a node that misses nothing gives the others this long, because whatever it
 * sealed in the meantime would fork the chain.
 */
const AFTER_OUTAGE_MS = 3000;

/**
 * Seals, delivers and retires evidence until it is stopped. Any number of nodes may do so on one store: locks and leases
 * in it keep them apart.
 */
export function startEvidenceWorker(options: EvidenceWorkerOptions): { stop(): Promise<void> } {
  const { store, signer, deliver, trail, report, intervalMs = 200, clock = Date.now, epoch = null } = options;
  const owner = randomUUID();
  const stopping = new AbortController();
  const stuck = new StuckBatches();
  const leftAlone = new Map<TenantId, number>();
  const pace = new Pace({ isBusy: options.isBusy ?? (() => false), maxBacklog: trail.maxBacklog });
  const rest = async (events: number) => {
    const pauseMs = pace.pauseAfter(events);
    if (pauseMs > 0) await pause(pauseMs, stopping.signal);
  };
  const count = async () => {
    const backlog = await store.backlog(trail.maxBacklog);
    const waiting = backlog.unsealed + backlog.undelivered;
    // Counting by tenant takes longer, and matters only where somebody can have their share.
    const isTight = mayHaveShare(waiting, trail.maxBacklog);
    trail.setBacklog(waiting, isTight ? await store.backlogByTenant(trail.maxBacklog) : undefined);
    pace.setBacklog(waiting);
    report({ kind: 'backlog', backlog });
    return intervalMs;
  };
  /** A share of each tenant that has something; the rest comes in the next round, which follows at once. */
  let wasOut = false;
  const seal = async () => {
    let left = false;
    const tenants = await store.unsealedTenants().catch((error: unknown) => {
      wasOut ||= isOutage(error);
      throw error;
    });
    if (wasOut) {
      wasOut = false;
      return AFTER_OUTAGE_MS;
    }
    for (const tenantId of tenants) {
      if (stopping.signal.aborted) break;
      if ((leftAlone.get(tenantId) ?? 0) > performance.now()) continue;
      try {
        left = (await sealUnsealed(store, signer, tenantId, clock, rest, undefined, epoch)) || left;
        leftAlone.delete(tenantId);
      } catch (error) {
        if (isOutage(error)) wasOut = true;
        // The chain of one tenant must not hold up the others.
        if (error instanceof SupersededKeyError) {
          if (!leftAlone.has(tenantId)) report({ kind: 'superseded', tenantId, keyId: signer.keyId });
          leftAlone.set(tenantId, performance.now() + SUPERSEDED_PAUSE_MS);
        } else report({ kind: 'failed', work: 'seal', tenantId, error });
      }
    }
    return left ? 0 : intervalMs;
  };
  const retire = async () => {
    if (options.retentionDays === undefined) return RETENTION_INTERVAL_MS;
    const before = new Date(clock() - options.retentionDays * MILLISECONDS_PER_DAY);
    for (let batches = RETIRED_AT_ONCE; batches === RETIRED_AT_ONCE && !stopping.signal.aborted; ) {
      batches = await store.retire(before, RETIRED_AT_ONCE);
      if (batches > 0) report({ kind: 'retired', batches });
    }
    return RETENTION_INTERVAL_MS;
  };
  const deliverAll = async () => {
    const quietSeconds = await deliverDue(store, deliver, owner, report, stopping.signal, rest, stuck);
    return Math.max(intervalMs, quietSeconds * 1000);
  };
  // A slow audit service delays deliveries and nothing else.
  const loops = [
    repeat('count', intervalMs, stopping.signal, report, count),
    repeat('seal', intervalMs, stopping.signal, report, seal),
    repeat('deliver', intervalMs, stopping.signal, report, deliverAll),
    repeat('retire', RETENTION_INTERVAL_MS, stopping.signal, report, retire),
  ];
  return {
    stop: async () => {
      stopping.abort();
      await Promise.all(loops);
    },
  };
}

function isOutage(error: unknown): boolean {
  return KmsError.is(error) && error.code === 'STORE_UNAVAILABLE';
}

/** Runs one round after another; each returns how long to pause after it. */
async function repeat(
  work: string,
  pauseAfterFailureMs: number,
  stopped: AbortSignal,
  report: (report: EvidenceReport) => void,
  turn: () => Promise<number>,
): Promise<void> {
  while (!stopped.aborted) {
    let pauseMs = pauseAfterFailureMs;
    try {
      pauseMs = await turn();
    } catch (error) {
      report({ kind: 'failed', work, error });
    }
    await pause(pauseMs, stopped);
  }
}

function pause(milliseconds: number, stopped: AbortSignal): Promise<void> {
  if (stopped.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      stopped.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    timer.unref();
    stopped.addEventListener('abort', end);
  });
}
