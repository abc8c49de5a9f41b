import type { RawRequest } from './raw-request.ts';
import { type Issue, isUuid, KmsError } from '@qnsp/kms-core';
import { keyNotFound } from '@qnsp/kms-core/ports';
import type { z } from 'zod';
import {
  type FieldNaming,
  type JsonObject,
  type Names,
  normaliseRequest,
  normaliseSynonyms,
} from '../route/field-aliases.ts';
import { LIMITS } from '../bounds/limits.ts';
import { check, invalidRequest, nameAsSent } from './issues.ts';
import { parseQuery, passedOver } from './parse-query.ts';
import type { ContractSettings, Route } from '../route/route.ts';
import type { OperationId, RouteOf } from '../routes/index.ts';

type ParamName<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParamName<Rest>
  : never;

/** The parameters of a route's path; the key id of a crypto route is in its body. */
export type ParamsOf<R extends Route> = R['crypto'] extends undefined
  ? { readonly [Name in ParamName<R['path']>]: string }
  : Readonly<Record<string, never>>;

/** A request of a route, checked and in the units of the core. */
export interface ParsedRequest<R extends Route = Route> {
  readonly params: ParamsOf<R>;
  readonly query: z.output<R['query']>;
  /** For crypto routes with the key id, wherever the request named it. */
  readonly body: z.output<R['body']>;
  /** The revision of `If-Match`, on routes that heed it. */
  readonly ifRevision?: number;
  /** On mutating routes. */
  readonly idempotencyKey?: string;
  /** The names that the answer has beside the canonical ones. */
  readonly naming: FieldNaming;
  /** The names that the request uses for fields, where they are not the canonical ones. */
  readonly sentNames?: Names;
  /** What was done differently from what was requested. */
  readonly warnings?: readonly string[];
}

/** What the handler of an operation gets. */
export type RequestOf<Id extends OperationId> = ParsedRequest<RouteOf<Id>>;

/** The settings of a contract for which nothing else was decided. */
export const DEFAULT_SETTINGS: ContractSettings = { minimumRotationSeconds: LIMITS.rotationSeconds.defaultMinimum };

const NOTHING = {};

/**
 * Checks a request and brings it into the types of the operation.
 *
 * @throws KmsError `BAD_REQUEST` with every issue in `details.issues[]`, `PAYLOAD_TOO_LARGE` for a field above its
 * limit, and `NOT_FOUND` for a path whose id is not a UUID, which names nothing.
 * @example
 * import { parseRequest, ROUTES } from '@qnsp/kms-contract';
 * console.log(parseRequest(ROUTES.listKeys, { query: { limit: '100' } }).query.limit); // 100
 */
export function parseRequest<R extends Route>(
  route: R,
  raw: RawRequest,
  settings: ContractSettings = DEFAULT_SETTINGS,
): ParsedRequest<R> {
  const { readBody, crypto } = route;
  const keyId = raw.params?.['keyId'];
  const isPlain =
    crypto !== undefined && !route.mutating && route.check === undefined && (keyId === undefined || isUuid(keyId));
  // A crypto request like nearly all has no query, and a body with a fast path, which gives what the schemas of the route would.
  if (readBody !== undefined && isPlain && Object.keys(raw.query ?? NOTHING).length === 0) {
    const value = readBody(raw.body);
    if (value !== undefined) {
      const { keyField } = crypto;
      // Nearly every path names the key, and then no body does.
      if (keyId !== undefined && value[keyField] === undefined) value[keyField] = keyId.toLowerCase();
      else withKey(route, value, keyId?.toLowerCase());
      // The schema of the body has the same value; the other two have no fields.
      return {
        params: NOTHING as ParamsOf<R>,
        query: NOTHING as z.output<R['query']>,
        body: value as z.output<R['body']>,
        naming: 'canonical',
      };
    }
  }
  return parseBySchemas(route, raw, settings);
}

function parseBySchemas<R extends Route>(route: R, raw: RawRequest, settings: ContractSettings): ParsedRequest<R> {
  const params = parseParams(route, raw.params ?? {});
  const issues: Issue[] = [];
  const query = collect(issues, () => parseQuery(route, raw.query ?? {}));
  const body = collect(issues, () => parseBody(route, raw.body, settings));
  const ifRevision = route.ifMatch ? collect(issues, () => parseIfMatch(raw.headers?.['if-match'])) : undefined;
  const idempotencyKey = route.mutating
    ? collect(issues, () => parseIdempotencyKey(raw.headers?.['idempotency-key']))
    : undefined;
  if (issues.length > 0 || body === undefined) throw invalidRequest(issues);
  const value = route.crypto === undefined ? body.value : withKey(route, body.value, params['keyId']);
  const warnings = passedOver(route, raw.query ?? {});
  return {
    // The schemas of the route made these values, so they have its types.
    params: (route.crypto === undefined ? params : {}) as ParamsOf<R>,
    query: query as z.output<R['query']>,
    body: value as z.output<R['body']>,
    naming: body.naming,
    ...(body.sentNames === undefined ? {} : { sentNames: body.sentNames }),
    ...(warnings.length === 0 ? {} : { warnings }),
    ...(ifRevision === undefined ? {} : { ifRevision }),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
  };
}

/** Whether a body is the `{items: […]}` form of a crypto operation. */
export function isBatch(route: Route, body: unknown): body is { readonly items: unknown } {
  return route.crypto !== undefined && typeof body === 'object' && body !== null && Object.hasOwn(body, 'items');
}

export interface ParsedBody {
  readonly value: unknown;
  readonly naming: FieldNaming;
  readonly sentNames?: Names | undefined;
}

/** Checks one body, or one item of a batch, against the schema of a route. Throws like {@link parseRequest}. */
export function parseBody(route: Route, raw: unknown, settings: ContractSettings): ParsedBody {
  if (route.method === 'GET') return { value: {}, naming: 'canonical' };
  if (route.crypto !== undefined && route.check === undefined) {
    // What is read so has the canonical names, and no field that is `null`.
    const value = route.readBody?.(raw);
    if (value !== undefined) return { value, naming: 'canonical' };
  }
  const object = asObject(raw);
  const { body, naming, sentNames } =
    route.crypto === undefined
      ? normaliseSynonyms(object, route.synonyms ?? {}, route.nullIsValue ?? false)
      : normaliseRequest(route.crypto.operation, object);
  try {
    const value = route.readBody?.(body) ?? check(route.body, body);
    const broken = route.check?.(value, settings) ?? [];
    if (broken.length > 0) throw invalidRequest(broken);
    return { value, naming, sentNames };
  } catch (error) {
    throw nameAsSent(error, sentNames);
  }
}

/**
 * Puts the key id of the path into a crypto body. Throws `BAD_REQUEST` if the two differ or there is none where one is
 * needed.
 */
export function withKey(route: Route, body: unknown, pathKeyId: string | undefined): unknown {
  if (route.crypto === undefined) return body;
  const { keyField, keyRequired } = route.crypto;
  // The schema of every crypto route makes a new object with this optional field.
  const keyed = body as { keyId?: string; sourceKeyId?: string };
  const named = keyed[keyField];
  if (pathKeyId === undefined) {
    if (named === undefined && keyRequired) throw invalidRequest([{ path: keyField, reason: 'is required' }]);
    return body;
  }
  if (named !== undefined && named !== pathKeyId)
    throw invalidRequest([{ path: keyField, reason: 'must be the key of the path' }]);
  keyed[keyField] = pathKeyId;
  return body;
}

/** The parameters of a path: UUIDs in lower case. */
export function parseParams(route: Route, raw: NonNullable<RawRequest['params']>): Readonly<Record<string, string>> {
  const params: Record<string, string> = {};
  for (const [name, value] of Object.entries(raw)) {
    if (value === undefined) continue;
    if (!isUuid(value))
      throw name === 'keyId'
        ? keyNotFound()
        : new KmsError('NOT_FOUND', `${route.path} names nothing: its ${name} is not a UUID.`);
    params[name] = value.toLowerCase();
  }
  return params;
}

/** The object of a body: no bytes at all are one without fields. */
export function asObject(raw: unknown): JsonObject {
  if (raw === undefined) return {};
  if (!isObject(raw)) throw invalidRequest([{ path: '', reason: 'must be an object' }]);
  return raw;
}

function isObject(raw: unknown): raw is JsonObject {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw);
}

/** Runs a check and keeps its issues, so that one answer can name those of every part of the request. */
function collect<T>(issues: Issue[], parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (!KmsError.is(error) || error.code !== 'BAD_REQUEST') throw error;
    issues.push(...((error.details?.['issues'] ?? []) as readonly Issue[]));
    return undefined;
  }
}

/** The revision of `If-Match`: `"3"`, `3` or the weak `W/"3"`; `*` means any and so nothing. */
function parseIfMatch(header: string | readonly string[] | undefined): number | undefined {
  if (header === undefined || header === '*' || header === '') return undefined;
  const [, quoted, bare] =
    (typeof header === 'string' && /^(?:(?:W\/)?"(\d{1,15})"|(\d{1,15}))$/.exec(header.trim())) || [];
  const digits = quoted ?? bare;
  if (digits === undefined) throw invalidRequest([{ path: 'If-Match', reason: 'must be one revision, like "3"' }]);
  return Number(digits);
}

function parseIdempotencyKey(header: string | readonly string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  const maximum = LIMITS.idempotencyKeyCharacters;
  const key = typeof header === 'string' ? textOfHeader(header).trim() : '';
  if (key !== '' && !UNPRINTABLE.test(key) && key.length <= maximum) return key;
  throw invalidRequest([{ path: 'Idempotency-Key', reason: `must be 1 to ${maximum} printable characters` }]);
}

/** Controls, formatting characters, unassigned ones, and separators that begin a line. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/u;

/** The text of a header, whose bytes come as characters: UTF-8 where they are that, otherwise ISO 8859-1. */
function textOfHeader(header: string): string {
  if (/^[\x20-\x7e]*$/.test(header)) return header;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(header, (one) => one.charCodeAt(0)));
  } catch {
    return header;
  }
}
