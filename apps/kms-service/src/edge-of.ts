import type { Edge } from '@qnsp/http-edge';
import type { ServiceParts } from './service-parts.ts';

/** What every call needs, out of the parts of the service. */
export function edgeOf({ evidence, ...parts }: ServiceParts): Edge {
  const { kms, verifiers, logs, metrics, readiness, gatewayCredential, refusedTokens, rateLimiter } = parts;
  const { operations } = metrics;
  const trail = evidence?.trail;
  return { kms, verifiers, rateLimiter, logs, metrics: operations, readiness, gatewayCredential, refusedTokens, trail };
}
