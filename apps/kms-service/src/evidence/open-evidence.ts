import {
  checkpointSigner,
  deliveryClient,
  type EvidenceReport,
  GroupCommit,
  startEvidenceWorker,
} from '@qnsp/kms-audit';
import {
  type EvidenceStore,
  type EvidenceTrail,
  OperationEvidence,
  SERVICE_ITSELF,
  SYSTEM_TENANT,
} from '@qnsp/kms-core';
import { readCertificate } from '../config/certificate-file.ts';
import type { EvidenceConfig } from '../config/read-evidence.ts';
import type { Logger } from '../http/logger.ts';
import { watchEventLoop } from './event-loop-load.ts';

/** Evidence as the service works with it. */
export interface Evidence {
  readonly trail: EvidenceTrail;
  readonly store: EvidenceStore;
  /** For what the service does without a caller. */
  readonly ofService: OperationEvidence;
  /** Begins to seal and deliver. On a restored copy this waits until it is settled: its chains may go on elsewhere. */
  start(log: Logger, onReport: (report: EvidenceReport) => void): void;
  /** Ends sealing and delivering for good, with what is under way; what is given still becomes durable. */
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
  let worker: { stop(): Promise<void> } | undefined;
  return {
    trail,
    store,
    ofService: new OperationEvidence(trail, clock, {
      tenantId: SYSTEM_TENANT,
      actor: SERVICE_ITSELF,
      action: 'start',
      eventType: 'kms.tenant.created',
      context: { requestId: null, userAgent: null, source: 'service', ip: null },
    }),
    start: (log, onReport) => {
      log.info({ algorithm: signer.algorithm, signingKeyId: signer.keyId }, 'keeping evidence');
      worker = startEvidenceWorker({
        store,
        signer,
        deliver,
        trail,
        clock,
        isBusy: watchEventLoop().isBusy,
        report: (report) => {
          onReport(report);
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
      log.fatal('no evidence is sealed or delivered any more');
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
      log.warn(facts, 'evidence not delivered, it is tried again');
      return;
    case 'stuck':
      log.error(facts, 'evidence is refused without naming its batch, and blocks its tenant: it is still tried');
      return;
    case 'refused':
      log.error(facts, 'evidence refused by the audit service for ever');
      return;
    case 'failed':
      log.error({ work: report.work, tenantId: report.tenantId, err: report.error }, 'work on evidence failed');
  }
}
