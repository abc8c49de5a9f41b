import { z } from 'zod';
import { answeredBytes } from '../fields/bytes.ts';
import { queryInteger } from '../fields/query.ts';
import { component } from '../fields/wire-schema.ts';
import { LIMITS } from '../bounds/limits.ts';
import { BASE_PATH, defineRoute, group, tenantId } from '../route/route.ts';

const { minimum, maximum } = LIMITS.randomBytes;

export const randomRoutes = group({
  getRandom: defineRoute({
    operationId: 'getRandom',
    method: 'GET',
    path: `${BASE_PATH}/random`,
    tag: 'Random',
    summary: 'Get random bytes',
    description: 'From the HSM where one is configured, mixed with the generator of the operating system.',
    auth: 'bearer',
    query: z.strictObject({ tenantId, bytes: queryInteger(minimum, maximum, 32).exactOptional() }),
    response: component(
      'RandomBytes',
      z.object({ random: answeredBytes, bytes: z.int().describe('The number of bytes returned.') }),
    ),
    status: 200,
    errors: ['HSM_UNAVAILABLE'],
    mutating: false,
    example: { query: { bytes: '16' }, answer: { random: 'kKvSqzXAcHeJXN7FXl4mWA==', bytes: 16 } },
  }),
});
