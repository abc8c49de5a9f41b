import type { Issue, KmsErrorCode, OperationName, Permission } from '@qnsp/kms-core';
import type { CryptoOperation } from '@qnsp/kms-core/algorithms';
import { operationNamed } from '@qnsp/kms-core/internal';
import { z } from 'zod';
import type { JsonObject } from './field-aliases.ts';
import { uuid } from '../fields/uuid.ts';
import { type Fields, fastReader, fastTextWriter, fastWriter } from '../fields/fast-path.ts';
import { component } from '../fields/wire-schema.ts';

/** Where the API of the service is; health and documents are beside it. */
export const BASE_PATH = '/kms/v1';

/** The methods that routes have. */
export type HttpMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export const TAGS = {
  Keys: 'Keys and what is known about them.',
  Lifecycle: 'Rotation, suspension, revocation and destruction.',
  Migrations: 'Many keys to another algorithm, in the background.',
  Cryptography:
    'Operations that use a key. Each also takes `{items: […]}`, up to 1,000 items, and answers in the same order. They change ' +
    'nothing, so an `Idempotency-Key` is ignored: their answers are not kept, and each call is carried out again and counts against the limits of its key.',
  'Key import': 'Bring your own key.',
  'Key policies': 'Who may do what with a key.',
  'Rotation schedules': 'Keys that rotate automatically.',
  'API tokens': 'Credentials of a tenant.',
  Approvals: 'What waits until others approve it.',
  'Identity bindings': 'What workloads may do that call with the identity they have, such as a JWT of Kubernetes.',
  Tenants: 'The tenants of the service.',
  Inventory: 'What cryptography the keys and the deployment use.',
  Audit: 'The evidence of what was done, if the deployment keeps it.',
  Random: 'Random bytes.',
  Service: 'Health, metrics and documents of the service.',
  Activation: 'The handshake of published clients.',
} as const;
/** The group of an operation in the OpenAPI document. */
export type Tag = keyof typeof TAGS;

/** Whom a route is for: callers of a tenant, of the platform, or both. */
export type RouteScope = 'tenant' | 'platform' | 'either';

/** A method and a path with parameters in braces; every parameter is a UUID. */
export interface Address {
  readonly method: HttpMethod;
  readonly path: string;
}

/** Which key a crypto operation uses, and where a request names it. */
export interface CryptoTraits {
  readonly operation: CryptoOperation;
  /** The field of the parsed body that the key id of the path goes to. */
  readonly keyField: 'keyId' | 'sourceKeyId';
  /** Whether a request must name it: not where the ciphertext does. */
  readonly keyRequired: boolean;
}

/** What a deployment may set about the contract. */
export interface ContractSettings {
  readonly minimumRotationSeconds: number;
}

/** An example of a request and of its answer; the documents show it and a test parses it. */
export interface RouteExample {
  readonly query?: JsonObject;
  readonly body?: JsonObject;
  readonly answer: unknown;
}

export interface RouteDefinition<
  Id extends OperationName,
  Path extends string,
  Query extends z.ZodType,
  Body extends z.ZodType,
  Answer extends z.ZodType,
> extends Address {
  /** Its id in the catalogue of operations. */
  readonly operationId: Id;
  readonly path: Path;
  /** Further addresses of the same operation. */
  readonly also?: readonly Address[];
  readonly tag: Tag;
  readonly summary: string;
  readonly description?: string;
  readonly auth: 'bearer' | 'none';
  /**
   * Whether the call is for one tenant or, by a platform credential, for the service as a whole; `either` is the whole
   * service when a platform credential names no tenant.
   */
  readonly scope?: RouteScope;
  readonly query?: Query;
  readonly body?: Body;
  /** Other names of top-level fields of the body. */
  readonly synonyms?: Readonly<Record<string, string>>;
  /** Whether `null` in the body clears a field; otherwise it counts as absent. */
  readonly nullIsValue?: boolean;
  /** What a schema cannot express: rules between fields, or with the settings of the deployment. */
  check?(body: z.output<Body>, settings: ContractSettings): readonly Issue[];
  readonly response: Answer;
  readonly contentType?: 'application/json' | 'text/plain' | 'application/vnd.cyclonedx+json';
  /** Paths of other routes at which a request that accepts `contentType` gets this answer. */
  readonly accepts?: readonly string[];
  readonly status: 200 | 201;
  /** The statuses with which the same answer also comes, beside `status`. */
  readonly otherStatuses?: readonly number[];
  /** The errors specific to this route; those of every route are added. */
  readonly errors: readonly KmsErrorCode[];
  /** Whether it returns a list: unknown names in its query are then ignored, and `warnings` says so. */
  readonly list?: boolean;
  /** Whether it changes anything: then `Idempotency-Key` counts. */
  readonly mutating: boolean;
  /** Whether `If-Match` with the revision of the key counts. */
  readonly ifMatch?: boolean;
  /** Set on operations that use a key: they take batches, and aliases of their fields. */
  readonly crypto?: CryptoTraits | undefined;
  readonly example: RouteExample;
}

/** A body or a query that holds nothing but the tenant that a call is for. */
export type EmptySchema = z.ZodObject<{ tenantId: z.ZodExactOptional<typeof uuid> }, z.core.$strict>;

/** One operation of the HTTP contract. */
export interface Route<
  Id extends OperationName = OperationName,
  Path extends string = string,
  Query extends z.ZodType = z.ZodType,
  Body extends z.ZodType = z.ZodType,
  Answer extends z.ZodType = z.ZodType,
> extends RouteDefinition<Id, Path, Query, Body, Answer> {
  readonly query: Query;
  readonly body: Body;
  readonly scope: RouteScope;
  /** What the caller must hold, as the catalogue of operations has it. */
  readonly permission?: Permission;
  /** Reads a valid body of a crypto route; `undefined` leaves it to the schema. */
  readonly readBody: ((json: unknown) => Record<string, unknown> | undefined) | undefined;
  /** Writes an answer of a crypto route; `undefined` leaves it to the schema. */
  readonly writeAnswer: ((answer: Fields) => Record<string, unknown> | undefined) | undefined;
  /** The same as JSON text. */
  readonly writeAnswerText: ((answer: Fields) => string | undefined) | undefined;
}

/** The tenant that a request may name; it must be that of the credential. */
export const tenantId = uuid.exactOptional().describe('The tenant of the call; it must be that of the credential.');

/** A query and a body without fields of their own. */
const emptyQuery: EmptySchema = z.strictObject({ tenantId });
const emptyBody: EmptySchema = component('EmptyRequest', z.strictObject({ tenantId }));

const EVERYWHERE: readonly KmsErrorCode[] = ['INTERNAL_ERROR', 'TOO_MANY_REQUESTS'];
const AUTHENTICATED: readonly KmsErrorCode[] = [
  'BAD_REQUEST',
  'UNAUTHORIZED',
  'FORBIDDEN',
  'TENANT_MISMATCH',
  'STORE_UNAVAILABLE',
  'SEALED',
  'AUDIT_UNAVAILABLE',
];
const WITH_BODY: readonly KmsErrorCode[] = ['BAD_REQUEST', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'];

/** Defines a route: fills in what is absent and adds the errors that follow from its other traits. */
export function defineRoute<
  const Id extends OperationName,
  const Path extends string,
  Answer extends z.ZodType,
  Query extends z.ZodType = EmptySchema,
  Body extends z.ZodType = EmptySchema,
  const Traits extends CryptoTraits | undefined = undefined,
>(
  definition: RouteDefinition<Id, Path, Query, Body, Answer> & { readonly crypto?: Traits },
): Route<Id, Path, Query, Body, Answer> & { readonly crypto: Traits } {
  const errors: readonly KmsErrorCode[] = [
    ...definition.errors,
    ...EVERYWHERE,
    ...(definition.auth === 'bearer' ? AUTHENTICATED : []),
    ...(definition.method === 'GET' ? [] : WITH_BODY),
    ...(definition.mutating && definition.auth === 'bearer' ? (['IDEMPOTENCY_MISMATCH', 'CONFLICT'] as const) : []),
    ...(definition.ifMatch ? (['CONFLICT'] as const) : []),
    // Every use of a key counts against its limits, including those that only open or verify.
    ...(definition.tag === 'Cryptography' && definition.path.includes('{keyId}')
      ? (['KEY_USAGE_EXCEEDED', 'QUOTA_EXCEEDED'] as const)
      : []),
    ...(definition.path.includes('{') ? (['NOT_FOUND'] as const) : []),
  ];
  const { permission } = operationNamed(definition.operationId);
  return {
    ...definition,
    ...(permission === null ? {} : { permission }),
    // A definition without a query or body has the default schema as its type parameter.
    query: definition.query ?? (emptyQuery as z.ZodType as Query),
    body: definition.body ?? (emptyBody as z.ZodType as Body),
    scope: definition.scope ?? 'tenant',
    errors: [...new Set(errors)],
    crypto: definition.crypto as Traits,
    readBody: definition.crypto && definition.body && fastReader(definition.body),
    writeAnswer: definition.crypto && fastWriter(definition.response),
    writeAnswerText: definition.crypto && fastTextWriter(definition.response),
  };
}

/** Checks at compile time that each route of a group stands under its own operation id. */
export function group<const Routes extends { readonly [Id in keyof Routes]: { readonly operationId: Id } }>(
  routes: Routes,
): Routes {
  return routes;
}
