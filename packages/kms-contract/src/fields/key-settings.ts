import { KEY_PURPOSES, type KeyPurpose, type RotationInput } from '@qnsp/kms-core';
import { z } from 'zod';
import { LIMITS } from '../bounds/limits.ts';
import { rotationPeriod } from './duration.ts';
import { inside } from './inside.ts';
import { instant } from './instant.ts';
import { line } from './text.ts';
import { component, onTheWire } from './wire-schema.ts';

export const keyName = line(LIMITS.nameCharacters).describe('A human-readable name; it need not be unique.');

const purpose = z.enum(['', ...KEY_PURPOSES]);

/** What a key is for; an empty purpose is the algorithm's own, `null` inside. */
export const keyPurpose = onTheWire(
  z.codec(purpose, inside<KeyPurpose | null>(), {
    decode: (text) => (text === '' ? null : text),
    encode: (value) => value ?? '',
  }),
  {
    type: 'string',
    enum: ['', ...KEY_PURPOSES],
    description:
      'What the key is for. If absent or empty, the purpose is that of the algorithm. A purpose that the algorithm cannot serve becomes ' +
      'that of the algorithm, and the answer says so in `warnings`.',
  },
);

const rotationSettings = z.strictObject({
  rotationPeriod: rotationPeriod.nullable().exactOptional().describe('How often the key rotates; `null` means never.'),
  autoRotate: z.boolean().exactOptional().describe('Whether it rotates automatically; true if there is a period.'),
  retainVersions: z
    .int()
    .min(1)
    .max(LIMITS.retainVersions)
    .nullable()
    .exactOptional()
    .describe('How many versions remain usable, including the active one; `null` keeps all.'),
});

/** The rotation settings under their names in JSON, and as the core takes them inside. */
export const rotation = component(
  'RotationSettings',
  z.codec(rotationSettings, inside<RotationInput>(), {
    decode: ({ rotationPeriod: periodSeconds, autoRotate: auto, retainVersions }) => ({
      ...(periodSeconds === undefined ? {} : { periodSeconds }),
      ...(auto === undefined ? {} : { auto }),
      ...(retainVersions === undefined ? {} : { retainVersions }),
    }),
    encode: ({ periodSeconds, auto, retainVersions }) => ({
      ...(periodSeconds === undefined ? {} : { rotationPeriod: periodSeconds }),
      ...(auto === undefined ? {} : { autoRotate: auto }),
      ...(retainVersions === undefined ? {} : { retainVersions }),
    }),
  }),
);

export const destroyGuardDays = z
  .int()
  .min(LIMITS.destroyGuardDays.minimum)
  .max(LIMITS.destroyGuardDays.maximum)
  .nullable()
  .exactOptional()
  .describe(
    'For how many days after its last use the key is destroyed only by who acknowledges that use; `null` and 0 are no guard beside that of the tenant or the deployment.',
  );

export const requireApproval = z
  .int()
  .min(LIMITS.requireApproval.minimum)
  .max(LIMITS.requireApproval.maximum)
  .nullable()
  .exactOptional()
  .describe(
    'How many others have to approve before the key is destroyed or shredded, or its policy is changed; `null` and 0 are nobody beside what the tenant or the deployment asks for. To lower it takes as many approvals.',
  );

export const usageLimits = component(
  'UsageLimits',
  z.strictObject({
    maxOperations: z
      .int()
      .min(1)
      .nullable()
      .exactOptional()
      .describe('How many operations the key may perform in its lifetime; `null` means no limit.'),
    expiresAt: instant
      .nullable()
      .exactOptional()
      .describe('When the key stops protecting new data; it still opens what it has protected. `null` means never.'),
  }),
);
