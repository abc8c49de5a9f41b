import { z } from 'zod';
import { uuid } from '../fields/uuid.ts';
import { BASE_PATH } from '../route/route.ts';
import { tenantId } from '../route/route.ts';

/** The fields that name the key and the tenant in a crypto body. */
const named = {
  tenantId,
  keyId: uuid.exactOptional().describe('The key; if the path names it too, it must be the same.'),
};

/** A crypto body whose key the request need not name. */
export function cryptoBody<const Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject({ ...named, ...shape });
}

/** A crypto body whose key the path or the body names. */
export function keyedBody<const Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  const schema = cryptoBody(shape);
  type Keyed = z.output<typeof schema> & { keyId: string };
  // `parseRequest` and `parseBatch` fill the key id in from the path, or refuse the request.
  return schema as z.ZodType<Keyed, z.input<typeof schema>>;
}

/** What every crypto route has in common. */
export function cryptoTraits<const Path extends string>(action: Path) {
  return {
    method: 'POST',
    path: `${BASE_PATH}/keys/{keyId}/${action}` as const,
    tag: 'Cryptography',
    auth: 'bearer',
    status: 200,
    mutating: false,
  } as const;
}
