import type { CredentialVerifier, OpenedKms } from '@qnsp/kms-core';
import type { Kms, SweepReport } from '@qnsp/kms-core/internal';
import type { AddressLimiter, RateLimiter } from '@qnsp/kms-core/ports';
import type { DeploymentProtocol } from '@qnsp/wire-qnsp';
import type { Caches } from './caches.ts';
import type { ClockSkew } from './clock-skew.ts';
import type { AwsConfig } from './config/read-aws.ts';
import type { Evidence } from './evidence/open-evidence.ts';
import type { FipsProvider } from './fips/probe-provider.ts';
import type { Fleet } from './fleet-settings.ts';
import type { Logs } from './http/logger.ts';
import type { Metrics } from './metrics.ts';
import type { Readiness } from './readiness.ts';
import type { TransportCheck } from './tls/transport-check.ts';

/** The FIPS provider that a service works with, and what its operator says of it. */
export interface FipsFacts extends FipsProvider {
  /** The number of its certificate; nothing here knows whether it has one. */
  readonly certificate: string | undefined;
  /** Whether keys of algorithms that are not approved may still read what they protected. */
  readonly legacyRead: boolean;
}

/** The parts of a running service that answer requests, or are asked how they are. */
export interface ServiceParts {
  /** The KMS as a whole, which counts the calls that run. */
  readonly opened: OpenedKms;
  readonly kms: Kms;
  /** The kinds of credentials that are taken, in the order in which they are asked. */
  readonly verifiers: readonly CredentialVerifier[];
  /** Holds callers to their limits; absent where nobody is held to any. */
  readonly rateLimiter?: RateLimiter | undefined;
  /** Holds addresses to how many credentials that do not hold they may present; absent where they may present any number. */
  readonly addressLimiter?: AddressLimiter | undefined;
  readonly logs: Logs;
  readonly caches: Caches;
  readonly readiness: Readiness;
  readonly metrics: Metrics;
  readonly version: string;
  /** Absent outside of FIPS mode. */
  readonly fips?: FipsFacts | undefined;
  /** Absent when no evidence is kept. */
  readonly evidence?: Evidence | undefined;
  /** The credential of the gateway in front of the service; default: none. */
  readonly gatewayCredential?: string | undefined;
  /** Present where AWS KMS is spoken. */
  readonly aws?: AwsConfig | undefined;
  readonly skew: ClockSkew;
  /** How this node gets on with the others of its fleet. */
  readonly fleet: Pick<Fleet, 'check'>;
  /** How the service is spoken to. */
  readonly transport: () => TransportCheck;
  /** The protocols of the deployment: what clients speak, and where everything is asked for what is behind the service as well. */
  readonly protocols: (reach: 'api' | 'everything') => Promise<readonly DeploymentProtocol[]>;
  /** Why the database takes no writes, `undefined` when it takes them. */
  readonly writeProblem: () => Promise<string | undefined>;
  /** What the HSMs are for, besides what the core does with them. */
  readonly hardware: { readonly configured: boolean; randomIsMissing(): boolean };
  /** What the newest reconciliation of HSMs and database found. */
  readonly sweeps: () => readonly SweepReport[];
}
