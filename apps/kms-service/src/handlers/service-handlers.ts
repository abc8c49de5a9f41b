import { randomUUID } from 'node:crypto';
import { openApiDocument } from '@qnsp/kms-contract';
import { KmsError } from '@qnsp/kms-core';
import type { AppParts } from '../app.ts';
import { randomCheck, residentKeysCheck, rootsCheck } from '../roots/root-checks.ts';
import type { Handlers } from './handler.ts';

const ACTIVATION_SECONDS = 3600;

export const serviceHandlers = {
  getHealth: ({ parts }) => health(parts),
  getReadiness: ({ parts }) => health(parts),
  getLiveness: ({ parts }) => ({ ...about(parts), status: 'ok', checks: {} }),
  getMetrics: ({ parts }) => parts.metrics.text(),
  getOpenApi: ({ parts }) => document(parts.version),

  activateSdk: ({ caller, kms }) => {
    const now = kms.clock();
    return {
      activated: true,
      tenantId: caller.tenantId,
      tier: 'self-hosted',
      limits: {
        storageGB: 0,
        apiCalls: Number.MAX_SAFE_INTEGER,
        enclavesEnabled: false,
        aiTrainingEnabled: false,
        aiInferenceEnabled: false,
        sseEnabled: false,
        vaultEnabled: false,
      },
      // Opaque to clients and worth nothing here: every call still needs the API token.
      activationToken: randomUUID(),
      expiresInSeconds: ACTIVATION_SECONDS,
      activatedAt: new Date(now).toISOString(),
      expiresAt: new Date(now + ACTIVATION_SECONDS * 1000).toISOString(),
    };
  },
} satisfies Partial<Handlers>;

const documents = new Map<string, ReturnType<typeof openApiDocument>>();

/** The document is the same for the life of the process, and making it takes milliseconds. */
function document(version: string): ReturnType<typeof openApiDocument> {
  const held = documents.get(version) ?? openApiDocument({ version });
  documents.set(version, held);
  return held;
}

function about({ version }: AppParts) {
  return { service: 'kms-service', version, timestamp: new Date().toISOString(), uptime: process.uptime() } as const;
}

async function health(parts: AppParts) {
  const reason = parts.readiness.reason();
  const store = await storeCheck(parts);
  const { kms, hardware, sweeps } = parts;
  const checks = {
    store,
    roots: rootsCheck(kms.hierarchy),
    ...(hardware.configured
      ? { residentKeys: residentKeysCheck(sweeps()), random: randomCheck(hardware.randomIsMissing()) }
      : {}),
    selfTest: reason === undefined ? ({ status: 'ok' } as const) : ({ status: 'critical', message: reason } as const),
  };
  const found = Object.values(checks).map((check) => check.status);
  const status = (['critical', 'degraded'] as const).find((worst) => found.includes(worst)) ?? ('ok' as const);
  return { ...about(parts), status, checks };
}

async function storeCheck({ kms }: AppParts) {
  const started = performance.now();
  try {
    await kms.store.ping();
    return { status: 'ok', latencyMs: Math.round((performance.now() - started) * 10) / 10 } as const;
  } catch (error) {
    if (!(error instanceof KmsError)) throw error;
    return { status: 'critical', message: 'the store does not answer' } as const;
  }
}
