import { KEY_PURPOSES, KEY_STATES, REVOCATION_REASONS } from '@qnsp/kms-core';
import { ALGORITHMS } from '@qnsp/kms-core/algorithms';
import { VERSION_STATES } from '@qnsp/kms-core/lifecycle';
import { z } from 'zod';
import { algorithmId } from '../fields/algorithm.ts';
import { answeredBytes } from '../fields/bytes.ts';
import { answeredInstant } from '../fields/instant.ts';
import { answeredMetadata } from '../fields/metadata.ts';
import { component, onTheWire } from '../fields/wire-schema.ts';

const answeredUuid = onTheWire(z.string(), { type: 'string', format: 'uuid' });
const answeredDuration = onTheWire(z.string(), { type: 'string', format: 'duration', examples: ['P90D'] });

export const keyId = answeredUuid;
export const keyVersion = z.int().describe('The version of the key, counted from 1.');

const versionSchema = z.object({
  version: z.int(),
  state: z.enum(VERSION_STATES),
  algorithm: algorithmId,
  origin: z.enum(['generated', 'imported']),
  createdAt: answeredInstant,
});

/** A key as it is shown: what is known about it, never its material. */
export const keySchema = component(
  'Key',
  z.object({
    keyId,
    tenantId: answeredUuid,
    name: z.string().nullable(),
    algorithm: algorithmId,
    algorithmNist: onTheWire(z.string(), {
      type: 'string',
      description: 'The name of the algorithm in its standard.',
      examples: ALGORITHMS.slice(0, 1).map(({ standardName }) => standardName),
    }),
    purpose: z.enum(KEY_PURPOSES),
    purposes: z.array(z.enum(KEY_PURPOSES)).describe('Every purpose that the key serves.'),
    protectionLevel: z.enum(['software', 'hsm']),
    provider: z.string().describe('The root or HSM provider that protects the current version.'),
    state: z
      .enum(KEY_STATES)
      .describe(
        '`suspended` keys only decrypt, verify and unwrap; `deactivated` keys await their destruction and do nothing.',
      ),
    currentVersion: z.int(),
    versions: z.array(versionSchema).describe('All versions, oldest first.'),
    rotation: z.object({
      rotationPeriod: answeredDuration.nullable(),
      autoRotate: z.boolean(),
      retainVersions: z.int().nullable(),
      nextRotationAt: answeredInstant.nullable(),
    }),
    usageLimits: z.object({ maxOperations: z.int().nullable(), expiresAt: answeredInstant.nullable() }),
    metadata: answeredMetadata.describe('As it was sent.'),
    parentKeyId: answeredUuid.nullable().describe("The key that protects this one in the tenant's own hierarchy."),
    revision: z
      .int()
      .describe(
        'Counts the changes to the key; send it as `If-Match` so that a change applies only to the revision you saw.',
      ),
    createdAt: answeredInstant,
    updatedAt: answeredInstant,
    destroyAt: answeredInstant.nullable().describe('When the key will be destroyed, if its destruction is scheduled.'),
    revocation: z
      .object({
        reason: onTheWire(z.string(), { type: 'string', enum: REVOCATION_REASONS }),
        revokedAt: answeredInstant,
      })
      .exactOptional()
      .describe('Present on revoked keys.'),
    destroyGuardDays: z
      .int()
      .exactOptional()
      .describe(
        'For how many days after its last use the key is destroyed only by who acknowledges that use; absent on keys without a guard of their own.',
      ),
    requireApproval: z
      .int()
      .exactOptional()
      .describe(
        'How many others have to approve its end and changes of its policy; absent on keys that themselves ask for nobody.',
      ),
    warnings: z
      .array(z.string())
      .exactOptional()
      .describe(
        'What was done differently from what was requested, and when a key was last used that is being destroyed.',
      ),
  }),
);

/** What a change of a key returns to a caller who may change it but not read it. */
export const changedKeySchema = component(
  'ChangedKey',
  z.object({
    keyId,
    tenantId: answeredUuid,
    changed: z.literal(true).describe('The key was changed, and the caller may not read more than this.'),
  }),
);
/** The answer to a change of a key by a caller who may not read the key. */
export type ChangedKey = z.output<typeof changedKeySchema>;

/** Whether an answer is that of a change by a caller who may not read the key. */
export function isChangedKey(answer: unknown): answer is ChangedKey {
  return typeof answer === 'object' && answer !== null && 'changed' in answer && answer.changed === true;
}

export const listWarnings = z
  .array(z.string())
  .exactOptional()
  .describe(
    'Names the keys or tokens that are missing from `items` because their stored record failed its integrity check, and the parts of the query that were ignored.',
  );

export const keyPageSchema = component(
  'KeyPage',
  z.object({
    items: z.array(keySchema),
    nextCursor: z.string().nullable().describe('Where the next page starts; `null` on the last page.'),
    warnings: listWarnings,
  }),
);

const counts = z.record(z.string(), z.int());

export const keyStatisticsSchema = component(
  'KeyStatistics',
  z.object({
    total: z.int(),
    byState: counts,
    byAlgorithm: counts,
    operationsThisMonth: z
      .int()
      .describe(
        'Operations that used a key since the first of the month, in UTC; the most recent ones on other nodes may be missing.',
      ),
  }),
);

export const publicKeySchema = component(
  'PublicKey',
  z.object({
    keyId,
    keyVersion,
    algorithm: algorithmId,
    publicKey: answeredBytes.describe('SubjectPublicKeyInfo in DER.'),
    publicKeyPem: z.string().describe('The same key in PEM.'),
  }),
);

export const rotationScheduleSchema = component(
  'RotationSchedule',
  z.object({
    keyId,
    name: z.string().nullable(),
    algorithm: algorithmId,
    rotationPeriod: answeredDuration.nullable(),
    nextRotationAt: answeredInstant.nullable(),
  }),
);
