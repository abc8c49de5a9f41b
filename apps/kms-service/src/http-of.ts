import { type KmsHttp, kmsHttp } from '@qnsp/wire-qnsp';
import { factsOf } from './health.ts';
import type { ServiceParts } from './service-parts.ts';

/** The HTTP interface of the service. */
export function httpOf(parts: ServiceParts): KmsHttp {
  const { opened, verifiers, logs, metrics, readiness, gatewayCredential, rateLimiter, addressLimiter } = parts;
  return kmsHttp({
    kms: opened,
    authenticate: verifiers,
    ...logs,
    metrics: metrics.operations,
    facts: factsOf(parts),
    readiness,
    rateLimiter,
    addressLimiter,
    gatewayCredential,
  });
}
