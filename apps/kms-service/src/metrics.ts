import type { RefusalReason } from '@qnsp/credentials-jwt';
import type { EvidenceReport } from '@qnsp/kms-audit';
import type { EdgeMetrics } from '@qnsp/http-edge';
import type { Kms } from '@qnsp/kms-core/internal';
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import { observeCaches } from './cache-metrics.ts';
import type { Caches } from './caches.ts';
import { NO_LOOKING_MS, observeEventLoopLag } from './event-loop-lag.ts';
import { observeJobs } from './job-metrics.ts';
import { OperationMetrics } from './operation-metrics.ts';
import { observeCryptoPolicy } from './policy-metrics.ts';
import { TenantMetrics } from './tenant-metrics.ts';
import { metricsReader } from './workers/worker.ts';

/** The metrics of the service, in the text format of Prometheus. */
export interface Metrics {
  /** Counts and times requests by wire, operation and status. */
  readonly operations: EdgeMetrics;
  observeEvidence(report: EvidenceReport): void;
  /** Counts a JSON Web Token that was refused, by the reason. */
  jwtRefused(reason: RefusalReason): void;
  /** Counts that the keys of an issuer could not be had. */
  issuerFailed(issuer: string): void;
  /** Counts a call that was refused, by the limit that it would have exceeded. */
  rateRefused(limit: 'tenant' | 'credential' | 'address'): void;
  /** Shows how many days the certificate of the service lasts. */
  observeCertificate(daysLeft: () => number): void;
  text(): Promise<string>;
}

/**
 * Counts requests by wire, operation and status, times them, and reads what Node and the caches know.
 *
 * @param byTenant whether requests are counted by tenant too
 */
export function makeMetrics(
  kms: Pick<Kms, 'keyRing' | 'tokens' | 'identities' | 'jobs' | 'settings'>,
  caches: Caches,
  byTenant: boolean,
): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: NO_LOOKING_MS });
  observeEventLoopLag(registry);
  observeCaches(registry, kms, caches);
  observeJobs(registry, kms.jobs);
  observeCryptoPolicy(registry, kms);
  const operations = new OperationMetrics(registry);
  const tenants = byTenant ? new TenantMetrics(registry) : undefined;
  const waiting = new Gauge({
    name: 'kms_evidence_waiting_events',
    help: 'Evidence events not yet sealed, or not yet delivered.',
    labelNames: ['for'],
    registers: [registry],
    aggregator: 'max',
  });
  const refused = new Gauge({
    name: 'kms_evidence_refused_batches',
    help: 'Batches of evidence permanently refused by the audit service. Anything above 0 needs attention.',
    registers: [registry],
    // Every process counts the same ones, in the database.
    aggregator: 'max',
  });
  const failures = new Counter({
    name: 'kms_evidence_failures_total',
    help: 'Failed rounds of evidence work, and postponed deliveries.',
    labelNames: ['work'],
    registers: [registry],
  });
  const refusals = new Counter({
    name: 'kms_jwt_refusals_total',
    help: 'JSON Web Tokens that were refused, by the reason.',
    labelNames: ['reason'],
    registers: [registry],
  });
  const issuerFailures = new Counter({
    name: 'kms_jwt_issuer_failures_total',
    help: 'Times that the keys of an issuer could not be had.',
    labelNames: ['issuer'],
    registers: [registry],
  });
  const rateRefusals = new Counter({
    name: 'kms_rate_limit_refusals_total',
    help: 'Calls that were refused because they would have exceeded a limit of rates, by whose limit that is.',
    labelNames: ['limit'],
    registers: [registry],
  });
  return {
    rateRefused: (limit) => rateRefusals.inc({ limit }),
    jwtRefused: (reason) => refusals.inc({ reason }),
    issuerFailed: (issuer) => issuerFailures.inc({ issuer }),
    operations:
      tenants === undefined
        ? operations
        : {
            observe: (wire, operation, status, durationMs, tenantId) => {
              operations.observe(wire, operation, status, durationMs);
              if (tenantId !== undefined) tenants.observe(tenantId, status);
            },
          },
    observeEvidence: (report) => {
      if (report.kind === 'backlog') {
        waiting.set({ for: 'seal' }, report.backlog.unsealed);
        waiting.set({ for: 'delivery' }, report.backlog.undelivered);
        refused.set(report.backlog.refused);
      } else if (report.kind === 'postponed') failures.inc({ work: 'deliver' });
      else if (report.kind === 'failed') failures.inc({ work: report.work });
    },
    observeCertificate: (daysLeft) => {
      const days: Gauge = new Gauge({
        name: 'kms_tls_certificate_days_left',
        help: 'Days until the TLS certificate of the service, or one that it depends on, expires; below 0 when it has.',
        registers: [registry],
        aggregator: 'min',
        collect: () => days.set(daysLeft()),
      });
    },
    text: metricsReader(registry),
  };
}
