import {
  checkpointSigner,
  deliveryClient,
  type EvidenceReport,
  GroupCommit,
  startEvidenceWorker,
} from '@qnsp/kms-audit';
import { KmsError, SYSTEM_TENANT } from '@qnsp/kms-core';
import type { EvidenceBacklog, EvidenceEpoch, EvidenceStore, EvidenceTrail } from '@qnsp/kms-core/ports';
import { readCertificate } from '../config/certificate-file.ts';
import type { EvidenceConfig } from '../config/read-evidence.ts';
import type { Logger } from '../http/logger.ts';
import { watchEventLoop } from './event-loop-load.ts';
import { EvidenceState } from './evidence-state.ts';

/** Evidence as the service works with it. */
export interface Evidence {
  readonly trail: EvidenceTrail;
  readonly store: EvidenceStore;
  /** What is known of sealing and delivery. */
  readonly state: EvidenceState;
  /** Why no more evidence is taken, `undefined` when it is. */
  refusal(): string | undefined;
  /** What was waiting when it was counted last; `undefined` before that. */
  backlog(): EvidenceBacklog | undefined;
  /**
   * Begins to seal and deliver. On a restored copy this waits until it is settled: its chains may continue elsewhere,
   * and continue here in a new epoch.
   */
  start(log: Logger, epoch: EvidenceEpoch | null, onReport: (report: EvidenceReport) => void): void;
  /** Ends sealing and delivering for good, including work in progress; what is recorded still becomes durable. */
  halt(log: Logger): Promise<void>;
  /** Ends when all evidence that was given is durable. */
  stop(): Promise<void>;
}

export function openEvidence(config: EvidenceConfig, store: EvidenceStore, clock: () => number): Evidence {
  const trail = new GroupCommit(store, { maxBacklog: config.maxBacklog });
  const signer = checkpointSigner(config.signingKeyPem);
  const deliver = deliveryClient({
    url: config.url,
    bearerToken: config.bearerToken,
    allowedHosts: config.allowedHosts,
    ...(config.caFile === undefined ? {} : { caPem: readCertificate('AUDIT_SERVICE_CA_FILE', config.caFile) }),
  });
  const state = new EvidenceState();
  let worker: { stop(): Promise<void> } | undefined;
  let backlog: EvidenceBacklog | undefined;
  return {
    trail,
    store,
    state,
    refusal: () => {
      try {
        trail.requireRoom(SYSTEM_TENANT);
        return undefined;
      } catch (error) {
        if (!KmsError.is(error)) throw error;
        return error.message;
      }
    },
    backlog: () => backlog,
    start: (log, epoch, onReport) => {
      log.info({ algorithm: signer.algorithm, signingKeyId: signer.keyId, epoch }, 'keeping evidence');
      state.begin(epoch);
      worker = startEvidenceWorker({
        store,
        signer,
        deliver,
        trail,
        clock,
        epoch,
        isBusy: watchEventLoop().isBusy,
        report: (report) => {
          if (report.kind === 'backlog') backlog = report.backlog;
          onReport(report);
          state.observe(report);
          writeReport(log, report);
        },
        ...(config.retentionDays === undefined ? {} : { retentionDays: config.retentionDays }),
      });
    },
    halt: async (log) => {
      const halting = worker;
      worker = undefined;
      if (halting === undefined) return;
      await halting.stop();
      log.fatal('evidence is no longer sealed or delivered');
    },
    stop: async () => {
      await trail.close();
      await worker?.stop();
    },
  };
}

function writeReport(log: Logger, report: EvidenceReport): void {
  const { kind, ...facts } = report;
  switch (kind) {
    case 'backlog':
      return;
    case 'delivered':
      log.debug(facts, 'evidence delivered');
      return;
    case 'retired':
      log.info(facts, 'evidence past its retention removed');
      return;
    case 'postponed':
      log.warn(facts, 'evidence not delivered, retrying');
      return;
    case 'stuck':
      log.error(
        facts,
        "audit service keeps rejecting a batch without naming it; this tenant's evidence is blocked, retrying",
      );
      return;
    case 'refused':
      log.error(facts, 'evidence permanently refused by the audit service');
      return;
    case 'superseded':
      log.error(facts, 'another signing key has taken over this chain; leaving it to the nodes that have that key');
      return;
    case 'failed':
      log.error({ work: report.work, tenantId: report.tenantId, err: report.error }, 'work on evidence failed');
  }
}
