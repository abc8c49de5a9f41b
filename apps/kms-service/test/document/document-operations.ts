import { openApiDocument } from '@qnsp/kms-contract';
import type { Schema } from './schema-arbitrary.ts';

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required?: boolean;
  readonly schema: Schema;
}

interface DocumentedAnswer {
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly content: Readonly<Record<string, { readonly schema: Schema }>>;
}

/** An operation of the document at one of its addresses. */
export interface Operation {
  readonly operationId: string;
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly body: Schema | undefined;
  /** By status. */
  readonly answers: Readonly<Record<string, DocumentedAnswer>>;
}

// As JSON, since that is what the service serves.
export const document = JSON.parse(JSON.stringify(openApiDocument({ version: 'test' }))) as object;

/** What a reference within the document leads to. */
export function resolve(reference: string): Schema {
  return reference
    .split('/')
    .slice(1)
    .reduce<unknown>((value, name) => Reflect.get(value as object, name), document) as Schema;
}

function resolved<T extends object>(value: T | { readonly $ref: string }): T {
  // A reference in the place of something leads to something of its kind.
  return '$ref' in value ? (resolve(value.$ref) as unknown as T) : value;
}

interface WrittenOperation {
  readonly operationId: string;
  readonly parameters: readonly (Parameter | { readonly $ref: string })[];
  readonly requestBody?: { readonly content: { readonly 'application/json': { readonly schema: Schema } } };
  readonly responses: Readonly<Record<string, DocumentedAnswer | { readonly $ref: string }>>;
}

const { paths } = document as { readonly paths: Readonly<Record<string, Readonly<Record<string, WrittenOperation>>>> };

export const OPERATIONS: readonly Operation[] = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, { operationId, parameters, requestBody, responses }]) => ({
    operationId,
    method: method.toUpperCase(),
    path,
    parameters: parameters.map(resolved),
    body: requestBody?.content['application/json'].schema,
    answers: Object.fromEntries(Object.entries(responses).map(([status, answer]) => [status, resolved(answer)])),
  })),
);
