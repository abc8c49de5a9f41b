import { z } from 'zod';
import { EXAMPLE } from '../answers/examples.ts';
import { answeredInstant } from '../fields/instant.ts';
import { component, onTheWire } from '../fields/wire-schema.ts';
import { defineRoute, group } from '../route/route.ts';

const text = z.string().max(256).exactOptional();

const activationSchema = component(
  'Activation',
  z.object({
    activated: z.literal(true),
    tenantId: onTheWire(z.string(), { type: 'string', format: 'uuid' }),
    tier: z.string(),
    limits: z.object({
      storageGB: z.number(),
      apiCalls: z.number(),
      enclavesEnabled: z.boolean(),
      aiTrainingEnabled: z.boolean(),
      aiInferenceEnabled: z.boolean(),
      sseEnabled: z.boolean(),
      vaultEnabled: z.boolean(),
    }),
    activationToken: z.string(),
    expiresInSeconds: z.int(),
    activatedAt: answeredInstant,
    expiresAt: answeredInstant,
  }),
);

export const activationRoutes = group({
  activateSdk: defineRoute({
    operationId: 'activateSdk',
    method: 'POST',
    path: '/billing/v1/sdk/activate',
    tag: 'Activation',
    summary: 'The handshake of published clients',
    description:
      'Clients that hold an API token call this first. It grants nothing that the token does not already have. Errors have their own ' +
      'shape. Unknown fields are ignored here, unlike anywhere else: older and newer clients send more.',
    auth: 'bearer',
    body: z.object({ sdkId: text, sdkVersion: text, runtime: text }),
    response: activationSchema,
    status: 200,
    errors: [],
    mutating: false,
    example: {
      body: { sdkId: 'kms-sdk', sdkVersion: '1.0.0', runtime: 'node' },
      answer: {
        activated: true,
        tenantId: EXAMPLE.tenantId,
        tier: 'self-hosted',
        limits: {
          storageGB: 0,
          apiCalls: 1_000_000_000,
          enclavesEnabled: false,
          aiTrainingEnabled: false,
          aiInferenceEnabled: false,
          sseEnabled: true,
          vaultEnabled: true,
        },
        activationToken: 'activation-example',
        expiresInSeconds: 3600,
        activatedAt: EXAMPLE.instant,
        expiresAt: '2026-01-31T13:00:00.000Z',
      },
    },
  }),
});
