import { awsKmsDialect } from '@qnsp/wire-aws-kms';
import { type KmsHttp, kmsHttp } from '@qnsp/wire-qnsp';
import { factsOf } from './health.ts';
import type { ServiceParts } from './service-parts.ts';

/** The HTTP interface of the service. */
export function httpOf(parts: ServiceParts): KmsHttp {
  const { opened, kms, verifiers, logs, metrics, readiness, gatewayCredential, rateLimiter, addressLimiter, aws } =
    parts;
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
    beside: aws === undefined ? [] : [awsKmsDialect({ region: aws.region, clock: kms.clock })],
  });
}
