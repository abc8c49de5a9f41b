import { KEY_PURPOSES, type KeyPurpose, type RotationInput } from '@qnsp/kms-core';
import { z } from 'zod';
import { LIMITS } from '../bounds/limits.ts';
import { rotationPeriod } from './duration.ts';
import { inside } from './inside.ts';
import { instant } from './instant.ts';
import { line } from './text.ts';
import { component, onTheWire } from './wire-schema.ts';

export const keyName = line(LIMITS.nameCharacters).describe('A name for people; it need not be unique.');

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
      "What the key is for. Absent or empty it is the algorithm's own purpose. A purpose that the algorithm cannot serve becomes " +
      "the algorithm's own, and the answer says so in `warnings`.",
  },
);

const rotationSettings = z.strictObject({
  rotationPeriod: rotationPeriod.nullable().exactOptional().describe('How often the key rotates; `null` is never.'),
  autoRotate: z.boolean().exactOptional().describe('Whether it rotates by itself; true when there is a period.'),
  retainVersions: z
    .int()
    .min(1)
    .max(LIMITS.retainVersions)
    .nullable()
    .exactOptional()
    .describe('How many versions stay usable, the active one included; `null` keeps all.'),
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

export const usageLimits = component(
  'UsageLimits',
  z.strictObject({
    maxOperations: z
      .int()
      .min(1)
      .nullable()
      .exactOptional()
      .describe('How many operations the key may serve in its life; `null` is no limit.'),
    expiresAt: instant
      .nullable()
      .exactOptional()
      .describe('From when on the key protects nothing new; what it protected it still opens. `null` is never.'),
  }),
);
