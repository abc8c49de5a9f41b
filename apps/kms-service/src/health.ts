import type { RedisCache } from '@qnsp/kms-cache';
import { KmsError } from '@qnsp/kms-core';
import { TRUST_MS } from '@qnsp/kms-core/ports';
import type { ServiceFacts } from '@qnsp/wire-qnsp';
import type { Caches } from './caches.ts';
import type { Evidence } from './evidence/open-evidence.ts';
import { randomCheck, residentKeysCheck, rootsCheck } from './roots/root-checks.ts';
import type { FipsFacts, ServiceParts } from './service-parts.ts';

/** What the service answers about itself. */
export function factsOf(parts: ServiceParts): ServiceFacts {
  return {
    version: parts.version,
    health: () => health(parts),
    liveness: () => ({ ...about(parts), status: 'ok', checks: {} }),
    metrics: () => parts.metrics.text(),
    protocols: (reach) => parts.protocols(reach),
  };
}

function about({ version }: ServiceParts) {
  return { service: 'kms-service', version, timestamp: new Date().toISOString(), uptime: process.uptime() } as const;
}

async function health(parts: ServiceParts) {
  const [answering, writeProblem] = await Promise.all([storeCheck(parts), parts.writeProblem()]);
  const store = answering.status === 'ok' ? writingCheck(answering, writeProblem) : answering;
  const copy = parts.readiness.copy();
  const { kms, hardware, sweeps } = parts;
  const clock = parts.skew.check();
  const fleet = parts.fleet.check();
  const checks = {
    store,
    roots: rootsCheck(kms.hierarchy),
    ...(hardware.configured
      ? { residentKeys: residentKeysCheck(sweeps()), random: randomCheck(hardware.randomIsMissing()) }
      : {}),
    ...(clock === undefined ? {} : { clock }),
    ...(fleet === undefined ? {} : { fleet }),
    transport: parts.transport(),
    selfTest: selfTestCheck(parts.readiness.reason()),
    ...(parts.fips === undefined ? {} : { fips: fipsCheck(parts.fips) }),
    ...cacheChecks(parts.caches),
    ...evidenceChecks(parts.evidence, answering.status === 'ok' ? writeProblem : undefined),
    ...(copy === undefined
      ? {}
      : { restoredCopy: { status: copy.settled ? 'ok' : 'critical', message: copy.message } as const }),
  };
  const found = Object.values(checks).map((check) => check.status);
  const status = WORST_FIRST.find((candidate) => found.includes(candidate)) ?? ('ok' as const);
  return { ...about(parts), status, checks };
}

type Check = {
  readonly status: 'ok' | 'degraded' | 'critical';
  readonly message?: string;
  readonly latencyMs?: number;
};

/** One failure is not an outage. */
const FAILED_ATTEMPTS = 2;
const WORST_FIRST = ['critical', 'degraded'] as const;

/** The service serves without its caches, only slower. */
function cacheChecks({ enabled, feed, redis }: Caches): { readonly cache?: Check; readonly redis?: Check } {
  if (!enabled) return {};
  const trusted = performance.now() - feed.provenAt() <= TRUST_MS;
  return {
    cache: trusted
      ? { status: 'ok' }
      : {
          status: 'degraded',
          message:
            'no notices of changes: keys and tokens are read from the store; a pooler in transaction mode needs DATABASE_NOTIFY_URL',
        },
    ...(redis === undefined
      ? {}
      : {
          redis: redisCheck(redis),
        }),
  };
}

function redisCheck({ isOpen, connectionFailure }: RedisCache): Check {
  if (connectionFailure instanceof Error)
    return { status: 'degraded', message: `not connected: ${connectionFailure.message}` };
  if (isOpen) return { status: 'degraded', message: 'slow or not answering, so it is not used for now' };
  return { status: 'ok' };
}

/** Keys are used all the same. */
function writingCheck(answering: Check, problem: string | undefined): Check {
  if (problem === undefined) return answering;
  return { ...answering, status: 'degraded', message: `accepts no writes, so changes are refused: ${problem}` };
}

/** Nothing is done that can leave no evidence. */
function evidenceChecks(
  evidence: Evidence | undefined,
  writeProblem: string | undefined,
): { readonly evidence?: Check; readonly auditService?: Check } {
  if (evidence === undefined) return {};
  const refusal = evidence.refusal() ?? writeProblem;
  const { attempts = 0, undelivered = 0 } = evidence.backlog() ?? {};
  return {
    evidence:
      refusal === undefined
        ? evidence.state.check()
        : { status: 'critical', message: `none can be kept, so calls are refused: ${refusal}` },
    auditService:
      attempts < FAILED_ATTEMPTS
        ? { status: 'ok' }
        : {
            status: 'degraded',
            message: `accepts no evidence: ${undelivered} events wait, and the next batch was tried ${attempts} times`,
          },
  };
}

function selfTestCheck(reason: string | undefined): Check {
  return reason === undefined ? { status: 'ok' } : { status: 'critical', message: reason };
}

/** What a validation is worth depends on what it is of, so that is the operator's to say. */
function fipsCheck({ name, version, certificate, legacyRead }: FipsFacts): Check {
  const claim = certificate === undefined ? 'no certificate' : `certificate ${certificate}`;
  const message = `${name} ${version}; the operator states ${claim}`;
  if (!legacyRead) return { status: 'ok', message };
  return {
    status: 'degraded',
    message: `${message}; KMS_FIPS_ALLOW_LEGACY_READ lets keys of algorithms that are not approved read what they protected`,
  };
}

async function storeCheck({ kms }: ServiceParts): Promise<Check> {
  const started = performance.now();
  try {
    await kms.store.ping();
    return { status: 'ok', latencyMs: Math.round((performance.now() - started) * 10) / 10 };
  } catch (error) {
    if (!KmsError.is(error)) throw error;
    return { status: 'critical', message: 'the store does not answer' };
  }
}
