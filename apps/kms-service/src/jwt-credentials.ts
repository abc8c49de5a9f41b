import { jwtVerifier, type TrustedIssuer } from '@qnsp/credentials-jwt';
import { memoryCache } from '@qnsp/kms-cache';
import type { CredentialVerifier } from '@qnsp/kms-core';
import { claimsOfCertificate, type Kms, refuseProven, resolveIdentity } from '@qnsp/kms-core/internal';
import type { Logger } from './http/logger.ts';
import type { Metrics } from './metrics.ts';

/** How many verified tokens are remembered, and in how much memory. */
const REMEMBERED = { maxEntries: 50_000, maxBytes: 64 * 1024 * 1024, ttlSeconds: 24 * 60 * 60 };

/** What takes the tokens of the trusted issuers; nothing where there are none. */
export function jwtCredentials(
  issuers: readonly TrustedIssuer[],
  kms: Pick<Kms, 'identities' | 'clock'>,
  metrics: Pick<Metrics, 'jwtRefused' | 'issuerFailed'>,
  log: Logger,
): readonly CredentialVerifier[] {
  if (issuers.length === 0) return [];
  const verifier = jwtVerifier({
    issuers,
    memory: memoryCache(REMEMBERED),
    resolve: (proven, tenant, certificate) => resolveIdentity(kms, proven, tenant, certificate),
    refuse: (proven, refusedFor, tenant, certificate) => refuseProven(kms, proven, refusedFor, tenant, certificate),
    holds: (proven, tenant, certificate) =>
      kms.identities.holds(proven, tenant, certificate && claimsOfCertificate(certificate)),
    clock: kms.clock,
    onRefused: (reason) => metrics.jwtRefused(reason),
    onIssuerFailure: (issuer, error) => {
      metrics.issuerFailed(issuer);
      log.warn(
        { issuer, err: error },
        'the keys of an issuer could not be had; its last ones are used for up to a day',
      );
    },
  });
  return [verifier];
}

/** How long tokens of these issuers live at most, with what their clocks may differ by. */
export function longestLifetimeSeconds(issuers: readonly TrustedIssuer[]): number | undefined {
  if (issuers.length === 0) return undefined;
  return Math.max(...issuers.map((each) => each.maxLifetimeSeconds + 2 * each.clockToleranceSeconds));
}
