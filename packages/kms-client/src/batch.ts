import type { CallOptions } from './base/call-options.ts';
import { BATCH_LIMITS, OPERATIONS } from './generated/operations.ts';
import type { KmsOperations } from './generated/types.ts';
import type { KmsClientError } from './errors/kms-client-error.ts';
import type { Operation } from './generated/operations.ts';
import { errorOf } from './transport/problem.ts';
import { call, type TransportSettings } from './transport/transport.ts';
import { decodeAnswer, MalformedAnswer } from './wire/decode-answer.ts';
import { addressOf, encodeBody, type Input } from './wire/encode-call.ts';

/** The operations that take many items at a time. */
export type BatchOperation = {
  [Id in keyof typeof OPERATIONS]: (typeof OPERATIONS)[Id] extends { readonly keyField: string } ? Id : never;
}[keyof typeof OPERATIONS];

/** The outcome of one item. */
export type BatchResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: KmsClientError };

export type InputOf<Id extends keyof KmsOperations> = NonNullable<Parameters<KmsOperations[Id]>[0]>;
export type AnswerOf<Id extends keyof KmsOperations> = Awaited<ReturnType<KmsOperations[Id]>>;

interface EncodedItem {
  /** Its position among the caller's items. */
  readonly index: number;
  readonly json: string;
  readonly bytes: number;
  readonly payloads: readonly string[];
}

const encoder = new TextEncoder();
const FRAME_BYTES = '{"items":[]}'.length;

/**
 * Does one crypto operation on many items, in as few requests as the service allows. The results are in the order of
 * the items; an item that fails does not affect the others.
 *
 * @throws KmsClientError when a request as a whole fails.
 */
export async function batch<Id extends BatchOperation>(
  settings: TransportSettings,
  id: Id,
  items: readonly InputOf<Id>[],
  options: CallOptions,
): Promise<readonly BatchResult<AnswerOf<Id>>[]> {
  const operation: Operation = OPERATIONS[id];
  const results: BatchResult<AnswerOf<Id>>[] = [];
  for (const [path, group] of byPath(operation, items)) {
    for (const part of split(group)) {
      const encoded = {
        method: operation.method,
        target: path,
        body: `{"items":[${part.map(({ json }) => json).join(',')}]}`,
        ifRevision: undefined,
        payloads: part.flatMap(({ payloads }) => payloads),
      };
      const answers = await call(settings, operation, encoded, options, (json) => decodeItems(operation, json, part));
      for (const [at, { index }] of part.entries()) {
        // The shape of the answer was checked against the operation's.
        results[index] = answers[at] as BatchResult<AnswerOf<Id>>;
      }
    }
  }
  return results;
}

/** Items go where they may name their keys themselves, otherwise to the path of their key. */
function byPath(operation: Operation, items: readonly object[]): ReadonlyMap<string, readonly EncodedItem[]> {
  const groups = new Map<string, EncodedItem[]>();
  for (const [index, item] of items.entries()) {
    const input = item as Input;
    const { path, fields } =
      operation.withoutKey === undefined ? addressOf(operation, input) : { path: operation.withoutKey, fields: input };
    const { json, payloads } = encodeBody(operation, fields);
    const group = groups.get(path) ?? [];
    group.push({ index, json, bytes: encoder.encode(json).length, payloads });
    groups.set(path, group);
  }
  return groups;
}

/** Parts that each fit into one request. An item that fits into none goes alone, and the service says why not. */
function* split(items: readonly EncodedItem[]): Generator<readonly EncodedItem[]> {
  let part: EncodedItem[] = [];
  let bytes = FRAME_BYTES;
  for (const item of items) {
    const isFull = part.length === BATCH_LIMITS.items || bytes + item.bytes + 1 > BATCH_LIMITS.bytes;
    if (isFull && part.length > 0) {
      yield part;
      part = [];
      bytes = FRAME_BYTES;
    }
    part.push(item);
    bytes += item.bytes + 1;
  }
  if (part.length > 0) yield part;
}

function decodeItems(
  operation: Operation,
  json: unknown,
  sent: readonly EncodedItem[],
): readonly BatchResult<unknown>[] {
  const items = typeof json === 'object' && json !== null && 'items' in json ? json.items : undefined;
  if (!Array.isArray(items) || items.length !== sent.length)
    throw new MalformedAnswer('does not hold one result for each item');
  return items.map((item: unknown, at) => {
    const error = typeof item === 'object' && item !== null && 'error' in item ? item.error : undefined;
    if (error === undefined) return { ok: true, value: decodeAnswer(operation, item) };
    return { ok: false, error: itemError(error, sent[at]?.payloads ?? []) };
  });
}

function itemError(problem: unknown, secrets: readonly string[]): KmsClientError {
  const status = typeof problem === 'object' && problem !== null && 'statusCode' in problem ? problem.statusCode : 0;
  return errorOf(problem, { statusCode: Number(status), requestId: undefined, secrets });
}
