import { KEY_PURPOSES } from '@qnsp/kms-core';
import { PROTECTION_LEVELS } from '@qnsp/kms-core/ports';
import { MIGRATION_REFUSALS, MIGRATION_STATES } from '@qnsp/kms-core/internal';
import { z } from 'zod';
import { EXAMPLE } from '../answers/examples.ts';
import { listWarnings } from '../answers/key.ts';
import { LIMITS } from '../bounds/limits.ts';
import { algorithm, algorithmId, migrationTarget } from '../fields/algorithm.ts';
import { answeredInstant } from '../fields/instant.ts';
import { keyName } from '../fields/key-settings.ts';
import { pageLimit } from '../fields/query.ts';
import { urlSafe } from '../fields/text.ts';
import { uuid } from '../fields/uuid.ts';
import { component, onTheWire } from '../fields/wire-schema.ts';
import { BASE_PATH, defineRoute, group, tenantId } from '../route/route.ts';

const answeredUuid = onTheWire(z.string(), { type: 'string', format: 'uuid' });
const cursor = urlSafe(LIMITS.cursorCharacters).exactOptional().describe('`nextCursor` of the previous page.');
const nextCursor = z.string().nullable().describe('Where the next page starts; `null` on the last page.');

const selector = component(
  'MigrationSelector',
  z.strictObject({
    algorithm: algorithm.exactOptional().describe('Keys of this algorithm.'),
    purpose: z.enum(KEY_PURPOSES).exactOptional().describe('Keys for this.'),
    protectionLevel: z.enum(PROTECTION_LEVELS).exactOptional(),
    name: keyName.exactOptional().describe('Keys of this name.'),
    keyIds: z.array(uuid).min(1).max(LIMITS.migration.keys).exactOptional().describe('These keys.'),
  }),
);

const migrationSchema = component(
  'Migration',
  z.object({
    migrationId: answeredUuid,
    state: z.enum(MIGRATION_STATES),
    selector: z.object({
      algorithm: algorithmId.exactOptional(),
      purpose: z.enum(KEY_PURPOSES).exactOptional(),
      protectionLevel: z.enum(PROTECTION_LEVELS).exactOptional(),
      name: z.string().exactOptional(),
      keyIds: z.array(answeredUuid).exactOptional(),
    }),
    target: z.string().describe('`quantum-safe`, or the platform id of an algorithm.'),
    startedBy: z.string().describe('Who started it: the id of an API token, or an issuer, `#`, and whom it names.'),
    createdAt: answeredInstant,
    endedAt: answeredInstant.nullable(),
    keys: z.object({
      total: z.number().describe('How many keys the tenant had at the start that were not destroyed.'),
      examined: z.number().describe('How many of them were looked at in this pass.'),
      upgraded: z.number().describe('How many have got a version under their new algorithm.'),
      unchanged: z.number().describe('How many need none, or are not meant.'),
      waiting: z.number().describe('How many are tried once more, as their HSM did not answer or they kept changing.'),
      refused: onTheWire(z.record(z.string(), z.number()), {
        type: 'object',
        additionalProperties: { type: 'integer' },
        description: `How many stay as they are, by reason: ${MIGRATION_REFUSALS.join(', ')}.`,
      }),
    }),
  }),
);

const plannedKey = component(
  'PlannedKey',
  z.object({
    keyId: answeredUuid,
    name: z.string().nullable(),
    algorithm: algorithmId,
    action: z
      .enum(['upgrade', 'none', 'refuse'])
      .describe('Whether it would be upgraded, needs nothing, or stays as it is although it is meant.'),
    target: algorithmId.nullable().describe('The platform id of the algorithm that it would get.'),
    refusal: z.enum(MIGRATION_REFUSALS).nullable().describe('Why it would stay as it is.'),
  }),
);

const shared = { tag: 'Migrations', auth: 'bearer' } as const;
const EXAMPLE_MIGRATION = {
  migrationId: EXAMPLE.bindingId,
  state: 'running',
  selector: { algorithm: 'ed25519' },
  target: 'quantum-safe',
  startedBy: EXAMPLE.tokenId,
  createdAt: EXAMPLE.instant,
  endedAt: null,
  keys: { total: 1200, examined: 0, upgraded: 0, unchanged: 0, waiting: 0, refused: {} },
};
const EXAMPLE_COMPLETED = {
  ...EXAMPLE_MIGRATION,
  state: 'completed',
  endedAt: EXAMPLE.later,
  keys: { total: 1200, examined: 1200, upgraded: 800, unchanged: 398, waiting: 0, refused: { imported: 2 } },
};

export const migrationRoutes = group({
  createMigration: defineRoute({
    ...shared,
    operationId: 'createMigration',
    method: 'POST',
    path: `${BASE_PATH}/migrations`,
    summary: 'Move keys to another algorithm',
    description:
      'In the background: each key gets a new version under its new algorithm, and its versions before that still read what they protected. ' +
      'Needs `kms:keys:rotate` as well. One migration of a tenant runs at a time: `CONFLICT` while another does. With `dryRun` nothing is ' +
      'changed, and `plan` has a page of what would be done with which key.',
    body: z.strictObject({
      tenantId,
      selector: selector
        .exactOptional()
        .describe('Which keys are meant: those that meet all of it (default: every key of the tenant).'),
      target: migrationTarget,
      dryRun: z.boolean().exactOptional().describe('Only say what would be done (default: false).'),
      limit: z
        .int()
        .min(1)
        .max(LIMITS.pageItems.maximum)
        .exactOptional()
        .describe(`How many keys a page of a dry run looks at (default: ${LIMITS.pageItems.default}).`),
      cursor,
    }),
    check: ({ dryRun = false, ...page }) =>
      (['limit', 'cursor'] as const)
        .filter((name) => !dryRun && page[name] !== undefined)
        .map((path) => ({ path, reason: 'is for pages of a dry run' })),
    response: component(
      'CreatedMigration',
      z.object({
        migration: migrationSchema.nullable().describe('The migration that was started; `null` for a dry run.'),
        plan: component('MigrationPlan', z.object({ items: z.array(plannedKey), nextCursor, warnings: listWarnings }))
          .nullable()
          .describe('The plan of a dry run, the newest keys first.'),
      }),
    ),
    status: 200,
    errors: ['CONFLICT'],
    mutating: true,
    example: {
      body: { selector: { algorithm: 'ed25519' }, target: 'quantum-safe' },
      answer: { migration: EXAMPLE_MIGRATION, plan: null },
    },
  }),
  listMigrations: defineRoute({
    ...shared,
    operationId: 'listMigrations',
    method: 'GET',
    path: `${BASE_PATH}/migrations`,
    summary: 'List the migrations of the tenant',
    description: `Newest first: the one that is running, and the last ${LIMITS.migration.kept} that have ended.`,
    query: z.strictObject({ tenantId, limit: pageLimit.exactOptional(), cursor }),
    response: component(
      'MigrationPage',
      z.object({ items: z.array(migrationSchema), nextCursor, warnings: listWarnings }),
    ),
    list: true,
    status: 200,
    errors: [],
    mutating: false,
    example: { query: { limit: '100' }, answer: { items: [EXAMPLE_COMPLETED], nextCursor: null } },
  }),
  getMigration: defineRoute({
    ...shared,
    operationId: 'getMigration',
    method: 'GET',
    path: `${BASE_PATH}/migrations/{migrationId}`,
    summary: 'Show a migration and how far it has got',
    response: migrationSchema,
    status: 200,
    errors: [],
    mutating: false,
    example: { answer: EXAMPLE_COMPLETED },
  }),
  cancelMigration: defineRoute({
    ...shared,
    operationId: 'cancelMigration',
    method: 'POST',
    path: `${BASE_PATH}/migrations/{migrationId}/cancel`,
    summary: 'Cancel a migration',
    description:
      'No further key is changed; those that were stay as they are. One that has ended is answered as it is.',
    response: migrationSchema,
    status: 200,
    errors: [],
    mutating: true,
    example: { answer: { ...EXAMPLE_MIGRATION, state: 'cancelled', endedAt: EXAMPLE.later } },
  }),
});
