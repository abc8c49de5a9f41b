import { z } from 'zod';
import { EXAMPLE } from '../answers/examples.ts';
import { answeredInstant } from '../fields/instant.ts';
import { component } from '../fields/wire-schema.ts';
import { BASE_PATH, defineRoute, group } from '../route/route.ts';

const healthStatus = z.enum(['ok', 'degraded', 'critical']);

const healthSchema = component(
  'Health',
  z.object({
    status: healthStatus,
    service: z.literal('kms-service'),
    version: z.string(),
    timestamp: answeredInstant,
    uptime: z.number().describe('Seconds since the service started.'),
    checks: z
      .record(
        z.string(),
        z.object({ status: healthStatus, message: z.string().exactOptional(), latencyMs: z.number().exactOptional() }),
      )
      .describe('What was checked, by name: the store, the roots, the caches.'),
  }),
);

const shared = { method: 'GET', tag: 'Service', auth: 'none', status: 200, errors: [], mutating: false } as const;
const EXAMPLE_HEALTH = {
  status: 'ok',
  service: 'kms-service',
  version: '1.0.0',
  timestamp: EXAMPLE.instant,
  uptime: 3600,
  checks: { store: { status: 'ok', latencyMs: 1 } },
};

export const serviceRoutes = group({
  getHealth: defineRoute({
    ...shared,
    operationId: 'getHealth',
    path: '/health',
    also: [{ method: 'GET', path: `${BASE_PATH}/health` }],
    summary: 'The health of the service',
    description: '`degraded` still serves; `critical` does not, and has the status 503.',
    response: healthSchema,
    otherStatuses: [503],
    example: { answer: EXAMPLE_HEALTH },
  }),
  getLiveness: defineRoute({
    ...shared,
    operationId: 'getLiveness',
    path: '/livez',
    summary: 'Whether the process is alive',
    description:
      'Says nothing about what the service depends on: a process that waits for its store is alive. `checks` is empty.',
    response: healthSchema,
    example: { answer: { ...EXAMPLE_HEALTH, checks: {} } },
  }),
  getReadiness: defineRoute({
    ...shared,
    operationId: 'getReadiness',
    path: '/readyz',
    summary: 'Whether the service wants traffic',
    description: 'The status is 503 if it does not.',
    response: healthSchema,
    otherStatuses: [503],
    example: { answer: EXAMPLE_HEALTH },
  }),
  getMetrics: defineRoute({
    ...shared,
    operationId: 'getMetrics',
    path: '/metrics',
    summary: 'Metrics in the Prometheus text format',
    response: z.string(),
    contentType: 'text/plain',
    example: { answer: '# TYPE kms_operations_total counter\nkms_operations_total{operation="encrypt"} 1200\n' },
  }),
  getOpenApi: defineRoute({
    ...shared,
    operationId: 'getOpenApi',
    path: '/openapi.json',
    also: [{ method: 'GET', path: `${BASE_PATH}/openapi.json` }],
    summary: 'This document',
    response: z.record(z.string(), z.unknown()),
    example: { answer: { openapi: '3.1.1', info: { title: 'QNSP KMS', version: '1.0.0' }, paths: {} } },
  }),
});
