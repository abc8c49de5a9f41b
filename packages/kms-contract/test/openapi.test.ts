import { readFileSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { ALL_ROUTES, DEFAULT_SETTINGS, ERROR_STATUS, openApiDocument, parseRequest, type Route } from '../src/index.ts';
import { parseBody } from '../src/calls/parse.ts';

interface Schema {
  readonly $ref?: string;
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly properties?: object;
  readonly additionalProperties?: unknown;
}

interface Operation {
  readonly operationId: string;
  readonly parameters: readonly { readonly $ref?: string; readonly name?: string; readonly in?: string }[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: { readonly 'application/json': { readonly schema: Schema } };
  };
  readonly responses: Readonly<Record<string, { readonly $ref?: string }>>;
  readonly security?: readonly unknown[];
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

// As JSON, since that is what is published: it has no undefined and no shared objects.
const text = JSON.stringify(openApiDocument({ version: 'v1' }));
const document = JSON.parse(text) as Document;
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ ...operation, path, method })),
);

describe('the OpenAPI document', () => {
  it('is the one that is committed; if not, run "npm run openapi" in this package', () => {
    const committed: unknown = JSON.parse(readFileSync(new URL('../openapi.json', import.meta.url), 'utf8'));
    expect(committed).toEqual(document);
  });

  it('is valid OpenAPI 3.1 to an independent validator', async () => {
    const validator = new Validator();
    const result = await validator.validate(JSON.parse(text) as Record<string, unknown>);
    expect(result.errors).toBeUndefined();
    expect(result.valid).toBe(true);
    expect(validator.version).toBe('3.1');
  });

  it('is refused by that validator when it is broken', async () => {
    const broken = { ...document, paths: { '/health': { get: { responses: { 200: {} } } } } };
    expect((await new Validator().validate(broken)).valid).toBe(false);
  });

  it('refers only to what it lists, and lists only what it refers to', () => {
    const referred = new Set(
      [...text.matchAll(/"#\/components\/(\w+)\/([\w.]+)"/g)].map(([, kind, name]) => `${kind}/${name}`),
    );
    const listed = Object.entries(document.components)
      .filter(([kind]) => kind !== 'securitySchemes')
      .flatMap(([kind, entries]) => Object.keys(entries).map((name) => `${kind}/${name}`));
    expect([...referred].toSorted()).toEqual(listed.toSorted());
    expect(text).not.toContain('#/$defs');
  });

  it('has every address of every route, with an id of its own', () => {
    const expected = ALL_ROUTES.flatMap((route) => [route, ...(route.also ?? [])]).map(
      ({ method, path }) => `${method.toLowerCase()} ${path}`,
    );
    expect(operations.map(({ method, path }) => `${method} ${path}`).toSorted()).toEqual(expected.toSorted());
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
  });

  it('documents every error of a route under its status', () => {
    for (const route of ALL_ROUTES) {
      const operation = operations.find(({ operationId }) => operationId === route.operationId);
      for (const code of route.errors) {
        const name = operation?.responses[ERROR_STATUS[code]]?.$ref?.split('/').at(-1);
        if (ERROR_STATUS[code] === 503 && route.otherStatuses?.includes(503)) continue;
        expect(name?.split('.'), `${route.operationId} ${code}`).toContain(code);
      }
    }
  });

  it('says of every use of a key that its limits may be reached', () => {
    const uses = ALL_ROUTES.filter(({ tag, path }) => tag === 'Cryptography' && path.includes('{keyId}'));
    expect(uses.length).toBeGreaterThan(10);
    expect(uses.filter(({ errors }) => !errors.includes('KEY_USAGE_EXCEEDED'))).toEqual([]);
  });

  it('names the headers where they count', () => {
    for (const route of ALL_ROUTES) {
      const parameters = operations
        .find(({ operationId }) => operationId === route.operationId)
        ?.parameters.map(({ $ref }) => $ref?.split('/').at(-1));
      expect(parameters?.includes('IdempotencyKey'), route.operationId).toBe(route.mutating);
      expect(parameters?.includes('IfMatch'), route.operationId).toBe(route.ifMatch ?? false);
      expect(parameters).toContain('RequestId');
    }
  });

  it('asks for a credential where the route does', () => {
    for (const route of ALL_ROUTES) {
      const operation = operations.find(({ operationId }) => operationId === route.operationId);
      expect(operation?.security === undefined, route.operationId).toBe(route.auth === 'bearer');
    }
  });

  it('wants a body exactly where a request without one is refused', () => {
    const rows = ALL_ROUTES.flatMap((route) =>
      [route, ...(route.also ?? [])].map(({ method, path }) => ({ route, method, path })),
    );
    const expected = rows
      .filter(({ method }) => method !== 'GET')
      .map(({ route, method, path }) => [`${method.toLowerCase()} ${path}`, refusesNothing(route, path)]);
    const written = operations.flatMap(({ method, path, requestBody }) =>
      requestBody === undefined ? [] : [[`${method} ${path}`, requestBody.required]],
    );
    expect(Object.fromEntries(written)).toEqual(Object.fromEntries(expected));
    expect(new Set(written.map(([, required]) => required)).size).toBe(2);
  });

  it('takes null under any name exactly where the service counts it as absent', () => {
    for (const route of ALL_ROUTES.filter(({ method }) => method !== 'GET')) {
      const { requestBody } = operations.find(({ operationId }) => operationId === route.operationId) ?? {};
      const refuses = (value: unknown) =>
        refusalOf(() => parseBody(route, { ...route.example.body, 'no-field': value }, DEFAULT_SETTINGS)) !== undefined;
      const absent = { type: 'null', description: 'The same as absent.' };
      const taken = objectsOf(requestBody?.content['application/json'].schema ?? {});
      expect(taken.length, route.operationId).toBeGreaterThan(0);
      const closed = refuses(null) ? false : absent;
      for (const { additionalProperties = {} } of taken)
        expect([route.operationId, additionalProperties]).toEqual([route.operationId, refuses(1) ? closed : {}]);
    }
  });

  it('writes bytes as base64 strings and every alias of a field', () => {
    const { schemas } = document.components;
    expect(schemas?.['EncryptRequest']).toMatchObject({
      properties: { plaintext: { type: 'string', contentEncoding: 'base64' } },
      additionalProperties: { type: 'null' },
    });
    expect(schemas?.['WrapRequestB64']).toMatchObject({ properties: { plaintextB64: {} }, required: ['plaintextB64'] });
    expect(schemas?.['UnwrapRequestBase64']).toMatchObject({
      properties: { wrappedBase64: {} },
      required: ['wrappedBase64'],
    });
    expect(schemas?.['UnwrapAnswer']).toMatchObject({
      properties: { dataKey: {}, plaintextB64: {}, plaintextBase64: {} },
    });
  });

  it('says where the service is when it is told', () => {
    expect(openApiDocument({ version: '1.2.3', serverUrl: 'https://kms.example' })).toMatchObject({
      info: { version: '1.2.3' },
      servers: [{ url: 'https://kms.example' }],
    });
  });
});

/** Whether a request of a route that has only its path is refused. */
function refusesNothing(route: Route, path: string): boolean {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => String(name));
  const params = Object.fromEntries(names.map((name) => [name, '0198f2a6-1d2e-7f30-9b4c-5d6e7f8091a2']));
  return refusalOf(() => parseRequest(route, { params })) !== undefined;
}

/** The code that a body is refused with, if it is. */
function refusalOf(parse: () => unknown): string | undefined {
  try {
    parse();
    return undefined;
  } catch (error) {
    expect(error).toMatchObject({ code: 'BAD_REQUEST' });
    return 'BAD_REQUEST';
  }
}

/** The objects that a body may be. */
function objectsOf(schema: Schema): readonly Schema[] {
  if (schema.$ref !== undefined)
    return objectsOf(document.components['schemas']?.[schema.$ref.split('/').at(-1) ?? ''] as Schema);
  if (schema.properties !== undefined) return [schema];
  return [...(schema.anyOf ?? []), ...(schema.allOf ?? [])].flatMap(objectsOf);
}
