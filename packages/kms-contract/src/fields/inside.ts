import { z } from 'zod';

/**
 * The side of a codec that only this service and its clients see, so that its type is enough. An absent value fails, as
 * it must: zod tries an optional field that is absent and skips it only when that fails.
 */
export function inside<T>() {
  return z.custom<T>((value) => value !== undefined);
}
