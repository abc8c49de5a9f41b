import type { QnspParts } from '@qnsp/wire-qnsp';
import { factsOf } from './health.ts';
import type { ServiceParts } from './service-parts.ts';

/** What the HTTP interface works with, out of the parts of the service. */
export function qnspParts(parts: ServiceParts): QnspParts {
  const { kms, verifiers, logs, metrics, readiness, gatewayCredential, evidence, refusedTokens } = parts;
  const trail = evidence?.trail;
  const edge = { kms, verifiers, logs, metrics, readiness, gatewayCredential, trail, refusedTokens };
  return { edge, facts: factsOf(parts) };
}
