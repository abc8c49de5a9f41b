import { isUuid } from '@qnsp/kms-core';
import { z } from 'zod';
import { withShortWay } from './short-way.ts';
import { onTheWire } from './wire-schema.ts';

/** A UUID (RFC 9562) of any version: either case in, lower case out. */
export const uuid = withShortWay(
  onTheWire(
    z
      .string()
      .refine(isUuid, 'must be a UUID')
      .overwrite((text) => text.toLowerCase()),
    { type: 'string', format: 'uuid' },
  ),
  { decode: (text) => (typeof text === 'string' && isUuid(text) ? text.toLowerCase() : undefined) },
);
