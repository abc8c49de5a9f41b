import type { QnspParts } from '@qnsp/wire-qnsp';
import { factsOf } from './health.ts';
import type { ServiceParts } from './service-parts.ts';

/** What the HTTP interface works with, out of the parts of the service. */
export function qnspParts(parts: ServiceParts): QnspParts {
  const { kms, logs, metrics, readiness, gatewayCredential, evidence, refusedTokens } = parts;
  const edge = { kms, logs, metrics, readiness, gatewayCredential, trail: evidence?.trail, refusedTokens };
  return { edge, facts: factsOf(parts) };
}
