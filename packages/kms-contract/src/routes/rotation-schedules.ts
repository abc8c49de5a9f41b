import { z } from 'zod';
import { EXAMPLE } from '../answers/examples.ts';
import { listWarnings, rotationScheduleSchema } from '../answers/key.ts';
import { pageLimit, queryInteger } from '../fields/query.ts';
import { LIMITS } from '../bounds/limits.ts';
import { BASE_PATH, defineRoute, group, tenantId } from '../route/route.ts';

const limit = pageLimit.exactOptional();

const shared = {
  method: 'GET',
  tag: 'Rotation schedules',
  auth: 'bearer',
  response: z.object({ items: z.array(rotationScheduleSchema), warnings: listWarnings }),
  list: true,
  status: 200,
  errors: [],
  mutating: false,
} as const;

const EXAMPLE_SCHEDULES = {
  items: [
    {
      keyId: EXAMPLE.keyId,
      name: 'orders',
      algorithm: 'aes-256-gcm',
      rotationPeriod: 'P90D',
      nextRotationAt: EXAMPLE.later,
    },
  ],
};

export const rotationScheduleRoutes = group({
  listRotationSchedules: defineRoute({
    ...shared,
    operationId: 'listRotationSchedules',
    path: `${BASE_PATH}/rotation-schedules`,
    summary: 'List the keys that rotate automatically',
    description: 'Next due first.',
    query: z.strictObject({ tenantId, limit }),
    example: { query: { limit: '10' }, answer: EXAMPLE_SCHEDULES },
  }),
  listUpcomingRotations: defineRoute({
    ...shared,
    operationId: 'listUpcomingRotations',
    path: `${BASE_PATH}/rotation-schedules/upcoming`,
    summary: 'List the rotations that are due soon',
    description: 'Next due first.',
    query: z.strictObject({
      tenantId,
      limit,
      withinDays: queryInteger(1, LIMITS.upcomingDays.maximum, LIMITS.upcomingDays.default)
        .exactOptional()
        .describe('Only rotations that are due within this many days.'),
    }),
    example: { query: { withinDays: '90' }, answer: EXAMPLE_SCHEDULES },
  }),
});
