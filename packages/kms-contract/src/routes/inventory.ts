import { z } from 'zod';
import { EXAMPLE_INVENTORY_KEY, EXAMPLE_PROTOCOL, inventoryPageSchema } from '../answers/inventory.ts';
import { LIMITS } from '../bounds/limits.ts';
import { pageLimit } from '../fields/query.ts';
import { urlSafe } from '../fields/text.ts';
import { BASE_PATH, defineRoute, group, tenantId } from '../route/route.ts';

/** CycloneDX in JSON, as its specification registers it. */
const CYCLONEDX = 'application/vnd.cyclonedx+json';

const shared = {
  method: 'GET',
  tag: 'Inventory',
  auth: 'bearer',
  scope: 'either',
  status: 200,
  errors: ['HSM_UNAVAILABLE'],
  mutating: false,
} as const;

export const inventoryRoutes = group({
  exportInventory: defineRoute({
    ...shared,
    operationId: 'exportInventory',
    path: `${BASE_PATH}/inventory/cyclonedx`,
    accepts: [`${BASE_PATH}/inventory`],
    summary: 'Export the cryptographic inventory as CycloneDX 1.6',
    description:
      'A cryptographic bill of materials of all keys, of the algorithms that they use and of the protocols of the deployment, as one stream of any length. A request for `/inventory` that accepts `application/vnd.cyclonedx+json` gets the same. An answer that breaks off is incomplete: it does not end as JSON.',
    response: z.string(),
    contentType: CYCLONEDX,
    example: {
      answer: JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6', version: 1, components: [] }),
    },
  }),
  getInventory: defineRoute({
    ...shared,
    operationId: 'getInventory',
    path: `${BASE_PATH}/inventory`,
    summary: 'Read the cryptographic inventory',
    description:
      'Every key and version with its algorithm, what that is worth, where it is kept and how it is rotated. For a tenant its keys, newest first; for a platform credential that names no tenant those of all tenants, oldest tenants first.',
    query: z.strictObject({
      tenantId,
      limit: pageLimit.exactOptional(),
      cursor: urlSafe(LIMITS.cursorCharacters).exactOptional().describe('`nextCursor` of the previous page.'),
    }),
    list: true,
    response: inventoryPageSchema,
    example: {
      query: { limit: '100' },
      answer: { items: [EXAMPLE_INVENTORY_KEY], nextCursor: null, protocols: [EXAMPLE_PROTOCOL] },
    },
  }),
});
