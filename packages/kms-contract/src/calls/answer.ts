import { KmsError } from '@qnsp/kms-core';
import { z } from 'zod';
import { changedKeySchema, isChangedKey, keySchema } from '../answers/key.ts';
import { type FieldNaming, type JsonObject, withAliases } from '../route/field-aliases.ts';
import type { Immutable } from '../routes/index.ts';
import type { Route } from '../route/route.ts';

/** What a route returns, bytes as bytes. */
export type AnswerOf<R extends Route> = Immutable<z.output<R['response']>>;

/**
 * The JSON form of an answer, under the names of its request. Only what the contract names goes out: anything else in
 * the answer is dropped.
 *
 * @throws KmsError `INTERNAL_ERROR` for an answer that the contract does not allow.
 * @example
 * import { encodeAnswer, ROUTES } from '@qnsp/kms-contract';
 * const { keyId } = await ada.createKey();
 * const answer = { plaintext: Buffer.from('hi'), keyId, keyVersion: 1 };
 * console.log((encodeAnswer(ROUTES.decrypt, answer) as { readonly plaintext: string }).plaintext); // aGk=
 */
export function encodeAnswer<R extends Route>(
  route: R,
  answer: AnswerOf<R>,
  naming: FieldNaming = 'canonical',
): unknown {
  // Every crypto answer is an object, which the schema would write the same way.
  const fast = route.writeAnswer?.(answer as JsonObject);
  if (fast !== undefined && route.crypto !== undefined) return withAliases(route.crypto.operation, naming, fast);
  const schema = answersChange(route) && isChangedKey(answer) ? changedKeySchema : route.response;
  const result = z.safeEncode(schema, answer);
  if (!result.success) {
    // The issues name fields and types, never values, but even so they are for the log only.
    throw new KmsError('INTERNAL_ERROR', 'The service produced an answer that its contract does not allow.', {
      cause: result.error,
    });
  }
  return route.crypto === undefined
    ? result.data
    : withAliases(route.crypto.operation, naming, result.data as JsonObject);
}

/**
 * The JSON text of an answer, as `JSON.stringify` writes what {@link encodeAnswer} gives.
 *
 * @throws KmsError `INTERNAL_ERROR` for an answer that the contract does not allow.
 */
export function encodeAnswerText<R extends Route>(
  route: R,
  answer: AnswerOf<R>,
  naming: FieldNaming = 'canonical',
): string {
  const fast = naming === 'canonical' ? route.writeAnswerText?.(answer as JsonObject) : undefined;
  if (fast !== undefined) return fast;
  const json = encodeAnswer(route, answer, naming);
  return typeof json === 'string' ? json : JSON.stringify(json);
}

/**
 * The entity tag of an answer that is a key: its revision, as `If-Match` takes it. `undefined` for every other answer.
 *
 * @example
 * import { entityTag, ROUTES } from '@qnsp/kms-contract';
 * console.log(entityTag(ROUTES.getKey, await ada.createKey())); // "1"
 */
export function entityTag<R extends Route>(route: R, answer: AnswerOf<R>): string | undefined {
  if (!answersKey(route) || isChangedKey(answer)) return undefined;
  // The schema of the answer is the key's.
  const { revision } = answer as Immutable<z.output<typeof keySchema>>;
  return `"${revision}"`;
}

/** Whether a route changes an existing key, and returns the key, or less to a caller who may not read it. */
export function answersChange(route: Route): boolean {
  return answersKey(route) && route.mutating && route.operationId !== 'createKey';
}

/** Whether a route returns one key. */
export function answersKey(route: Route): boolean {
  return route.response === keySchema;
}

/**
 * An answer from its JSON form, for clients: base64 becomes bytes, fields of newer services are ignored.
 *
 * @throws ZodError when it is not an answer of this route.
 */
export function decodeAnswer<R extends Route>(route: R, json: unknown): AnswerOf<R> {
  return route.response.parse(json) as AnswerOf<R>;
}
