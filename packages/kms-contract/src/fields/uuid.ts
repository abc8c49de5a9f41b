import { isUuid } from '@qnsp/kms-core';
import { isVersionedUuid } from '@qnsp/kms-core/ports';
import { z } from 'zod';
import { withFastPath } from './fast-path.ts';
import { onTheWire } from './wire-schema.ts';

/** A UUID (RFC 9562) of any version: either case in, lower case out. */
export const uuid = withFastPath(
  onTheWire(
    z
      .string()
      .refine(isUuid, 'must be a UUID')
      .overwrite((text) => text.toLowerCase()),
    { type: 'string', format: 'uuid' },
  ),
  { decode: (text) => (typeof text === 'string' && isUuid(text) ? text.toLowerCase() : undefined) },
);

/** The id of a new tenant: published clients take only the versions and the variant of RFC 9562. */
export const newTenantId = onTheWire(
  z
    .string()
    .refine(isVersionedUuid, 'must be a UUID of version 1 to 8 and the variant of RFC 9562')
    .overwrite((text) => text.toLowerCase()),
  {
    type: 'string',
    format: 'uuid',
    pattern: '^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}$',
  },
);
