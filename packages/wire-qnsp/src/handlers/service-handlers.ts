import { randomUUID } from 'node:crypto';
import { openApiDocument, type ResponseOf } from '@qnsp/kms-contract';
import type { Handlers } from './handler.ts';
import { servedFacts } from './service-facts.ts';

const ACTIVATION_SECONDS = 3600;

export const serviceHandlers = {
  getHealth: ({ facts }) => servedFacts(facts).health(),
  getReadiness: ({ facts }) => servedFacts(facts).health(),
  getLiveness: ({ facts }) => servedFacts(facts).liveness(),
  getMetrics: ({ facts }) => servedFacts(facts).metrics(),
  getOpenApi: ({ facts }): ResponseOf<'getOpenApi'> => document(servedFacts(facts).version),

  activateSdk: ({ op: { caller, kms } }) => {
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
