import { KmsError } from '@qnsp/kms-core';
import { z } from 'zod';
import { changedKeySchema, isChangedKey, keySchema } from '../answers/key.ts';
import { answerInDialect, type Dialect, type JsonObject } from '../route/dialects.ts';
import type { Immutable } from '../routes/index.ts';
import type { Route } from '../route/route.ts';

/** What a route returns, bytes as bytes. */
export type AnswerOf<R extends Route> = Immutable<z.output<R['response']>>;

/**
 * The JSON form of an answer, in the dialect of its request. Only what the contract names goes out: anything else in
 * the answer is dropped.
 *
 * @throws KmsError `INTERNAL_ERROR` for an answer that the contract does not allow.
 * @example
 * encodeAnswer(ROUTES.unwrap, { dataKey, keyId, keyVersion: 1 }, 'b'); // { dataKey: '…', plaintextB64: '…', … }
 */
export function encodeAnswer<R extends Route>(route: R, answer: AnswerOf<R>, dialect: Dialect = 'canonical'): unknown {
  // Every crypto answer is an object, which the schema would write the same way.
  const short = route.writeAnswer?.(answer as JsonObject);
  if (short !== undefined && route.crypto !== undefined) return answerInDialect(route.crypto.operation, dialect, short);
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
    : answerInDialect(route.crypto.operation, dialect, result.data as JsonObject);
}

/**
 * The JSON text of an answer, as `JSON.stringify` writes what {@link encodeAnswer} gives.
 *
 * @throws KmsError `INTERNAL_ERROR` for an answer that the contract does not allow.
 */
export function encodeAnswerText<R extends Route>(
  route: R,
  answer: AnswerOf<R>,
  dialect: Dialect = 'canonical',
): string {
  const short = dialect === 'canonical' ? route.writeAnswerText?.(answer as JsonObject) : undefined;
  if (short !== undefined) return short;
  const json = encodeAnswer(route, answer, dialect);
  return typeof json === 'string' ? json : JSON.stringify(json);
}

/**
 * The entity tag of an answer that is a key: its revision, as `If-Match` takes it. `undefined` for every other answer.
 *
 * @example
 * entityTag(ROUTES.getKey, key); // "3", in quotes
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
