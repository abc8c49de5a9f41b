import type { Metadata } from '@qnsp/kms-core';
import { metadataProblem } from '@qnsp/kms-core/internal';
import { z } from 'zod';
import { LIMITS } from '../bounds/limits.ts';
import { onTheWire } from './wire-schema.ts';

const { entries, levels, nameCharacters, valueCharacters, totalBytes } = LIMITS.metadata;

/** Any JSON object within the bounds, handed on as it is. */
export const metadata = onTheWire(
  z
    .custom<Metadata>((value) => value !== undefined)
    .check(({ value, issues }) => {
      const problem = metadataProblem(value);
      if (problem !== undefined)
        issues.push({ code: 'custom', message: problem.reason, path: [...problem.path], input: undefined });
    }),
  {
    type: 'object',
    maxProperties: entries,
    propertyNames: { minLength: 1, maxLength: nameCharacters },
    description:
      `Facts about the key for people and programs, never a secret: any JSON, which is returned as it was sent. At most ${totalBytes / 1024} KiB, ` +
      `${levels} levels, ${entries} members in each object, ${nameCharacters} characters in each name and ${valueCharacters} in each text. Whole ` +
      'numbers are at most 9007199254740991 in absolute value; send larger ones as text.',
  },
);

/** The metadata of an answer. */
export const answeredMetadata = onTheWire(
  z.custom<Metadata>((value) => typeof value === 'object' && value !== null && !Array.isArray(value)),
  { type: 'object', additionalProperties: true },
);
