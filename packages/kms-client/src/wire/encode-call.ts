import { invalidArgument } from '../errors/kms-client-error.ts';
import type { Operation } from '../generated/operations.ts';
import { toBase64 } from './base64.ts';
import { isUuid } from './uuid.ts';

export type Input = Readonly<Record<string, unknown>>;

/** A call as it goes over the wire. */
export interface EncodedCall {
  readonly method: string;
  /** The path with its query, without the base URL. */
  readonly target: string;
  /** JSON, or nothing. */
  readonly body: string | undefined;
  readonly ifRevision: number | undefined;
  /** The base64 texts in the body, which no error may repeat. */
  readonly payloads: readonly string[];
}

/** Puts the fields of an input where the operation expects them. Throws `INVALID_ARGUMENT` for what cannot be sent. */
export function encodeCall(operation: Operation, input: Input): EncodedCall {
  const { path, fields } = addressOf(operation, input);
  const { ifRevision, ...rest } = fields;
  if (ifRevision !== undefined && !Number.isSafeInteger(ifRevision))
    throw invalidArgument('ifRevision must be a whole number.');
  if (operation.method === 'GET') {
    return {
      method: 'GET',
      target: path + queryOf(operation, rest),
      body: undefined,
      ifRevision: undefined,
      payloads: [],
    };
  }
  const { json, payloads } = encodeBody(operation, rest);
  return { method: operation.method, target: path, body: json, ifRevision: ifRevision as number | undefined, payloads };
}

export interface EncodedBody {
  readonly json: string;
  readonly payloads: readonly string[];
}

/** The JSON of a body or of an item of a batch: bytes become base64. */
export function encodeBody({ bytes = [] }: Operation, fields: Input): EncodedBody {
  const encoded: Record<string, unknown> = { ...fields };
  const payloads: string[] = [];
  for (const name of bytes) {
    const value = encoded[name];
    if (value === undefined) continue;
    if (!(value instanceof Uint8Array)) throw invalidArgument(`${name} must be a Uint8Array.`);
    const text = toBase64(value);
    encoded[name] = text;
    payloads.push(text);
  }
  return { json: JSON.stringify(encoded), payloads };
}

/** The address of a call, and the fields that are not in it. */
export function addressOf(operation: Operation, input: Input): { readonly path: string; readonly fields: Input } {
  const { keyField } = operation;
  if (keyField !== undefined) {
    const { [keyField]: keyId, ...fields } = input;
    if (keyId === undefined && operation.withoutKey !== undefined) return { path: operation.withoutKey, fields };
    return { path: operation.path.replace('{keyId}', uuid(keyField, keyId)), fields };
  }
  const fields = { ...input };
  const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = fields[name];
    delete fields[name];
    return uuid(name, value);
  });
  return { path, fields };
}

/** An id in a path. Anything else could change the path itself: `..` does. */
function uuid(name: string, value: unknown): string {
  if (typeof value === 'string' && isUuid(value)) return value;
  throw invalidArgument(`${name} must be a UUID.`);
}

function queryOf({ query = [] }: Operation, fields: Input): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    if (!query.includes(name)) throw invalidArgument(`There is no parameter ${JSON.stringify(name)}.`);
    if (typeof value !== 'string' && typeof value !== 'number')
      throw invalidArgument(`${name} must be a string or a number.`);
    parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}
