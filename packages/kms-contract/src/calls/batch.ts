import { KmsError } from '@qnsp/kms-core';
import { z } from 'zod';
import { type FieldNaming, type Names, normaliseSynonyms, SYNONYMS } from '../route/field-aliases.ts';
import { uuid } from '../fields/uuid.ts';
import { LIMITS } from '../bounds/limits.ts';
import { check } from './issues.ts';
import { asObject, DEFAULT_SETTINGS, parseBody, parseParams, withKey } from './parse.ts';
import type { RawRequest } from './raw-request.ts';
import { parseQuery } from './parse-query.ts';
import { type ContractSettings, type Route, tenantId } from '../route/route.ts';

/** One item of a batch: what to do, or why it cannot be done. */
export type BatchItem<R extends Route> =
  | { readonly body: z.output<R['body']>; readonly naming: FieldNaming; readonly sentNames?: Names | undefined }
  | { readonly error: KmsError };

const batchSchema = z.strictObject({
  tenantId,
  keyId: uuid.exactOptional().describe('The key for every item that does not name one.'),
  items: z.array(z.unknown()).min(1).max(LIMITS.batchItems),
});

/** A batch whose items are read one by one, so that nobody has to wait until all are. */
export interface Batch<R extends Route> {
  /** How many items it has. */
  readonly length: number;
  /** Reads one of them, by its place from 0. */
  item(index: number): BatchItem<R>;
}

/**
 * Reads the `{items: […]}` form of a crypto operation. Each item is checked like a separate request: one that is wrong
 * becomes an error in its place, with paths within the item, and does not affect the others. Items without a key take
 * the batch's, which the path or the body names.
 *
 * @throws KmsError `BAD_REQUEST` for no items, more than 1,000, or anything besides them; `NOT_FOUND` like
 * `parseRequest`.
 */
export function parseBatch<R extends Route>(
  route: R,
  raw: RawRequest,
  settings: ContractSettings = DEFAULT_SETTINGS,
): readonly BatchItem<R>[] {
  const batch = openBatch(route, raw, settings);
  return Array.from({ length: batch.length }, (_, index) => batch.item(index));
}

/** Reads a batch as {@link parseBatch} does, but each item only when it is asked for. Throws as that does. */
export function openBatch<R extends Route>(
  route: R,
  raw: RawRequest,
  settings: ContractSettings = DEFAULT_SETTINGS,
): Batch<R> {
  const params = parseParams(route, raw.params ?? {});
  parseQuery(route, raw.query ?? {});
  const { items, keyId: batchKeyId } = check(batchSchema, normaliseSynonyms(asObject(raw.body), {}, false).body);
  const keys = { pathKeyId: params['keyId'], batchKeyId };
  return { length: items.length, item: (index) => parseItem(route, items[index], keys, settings) };
}

interface BatchKeys {
  readonly pathKeyId: string | undefined;
  readonly batchKeyId: string | undefined;
}

function parseItem<R extends Route>(
  route: R,
  item: unknown,
  keys: BatchKeys,
  settings: ContractSettings,
): BatchItem<R> {
  try {
    const { value, naming, sentNames } = parseBody(route, item, settings);
    const body = withKey(route, withBatchKey(route, value, keys.batchKeyId), keys.pathKeyId);
    // The schema of the route made this value, so it has its type.
    return { body: body as z.output<R['body']>, naming, sentNames };
  } catch (error) {
    if (KmsError.is(error)) return { error };
    throw error;
  }
}

/** Gives an item the batch's key where it names none: as the field that `keyId` stands for in this operation. */
function withBatchKey(route: Route, value: unknown, batchKeyId: string | undefined): unknown {
  if (batchKeyId === undefined || route.crypto === undefined) return value;
  const field = SYNONYMS[route.crypto.operation]?.['destinationKeyId'] === 'keyId' ? 'destinationKeyId' : 'keyId';
  // The schema of every crypto route makes a new object with this optional field.
  const keyed = value as { keyId?: string; destinationKeyId?: string };
  keyed[field] ??= batchKeyId;
  return value;
}
