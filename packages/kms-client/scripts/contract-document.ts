import { openApiDocument, type Route, SYNONYMS } from '@qnsp/kms-contract';

/** The part of JSON Schema that the contract uses. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly format?: string;
  readonly contentEncoding?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly propertyNames?: Schema;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
}

interface Operation {
  readonly parameters: readonly {
    readonly name?: string;
    readonly in?: string;
    readonly schema?: Schema;
    readonly description?: string;
  }[];
  readonly requestBody?: { readonly content: { readonly 'application/json': { readonly schema: Schema } } };
  readonly responses: Readonly<
    Record<string, { readonly content: Readonly<Record<string, { readonly schema: Schema }>> }>
  >;
}

// As JSON, since that is what it is published as.
const document = JSON.parse(JSON.stringify(openApiDocument({ version: 'v1' }))) as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
};

export const documented = { schemas: document.components.schemas };

/** Whether an answer is a text, which is no JSON or is left unread. */
export function isText({ contentType }: Route): boolean {
  return contentType !== undefined && contentType !== 'application/json';
}

export function nameOf(schema: Schema): string | undefined {
  return schema.$ref?.split('/').at(-1);
}

export function resolve(schema: Schema): Schema {
  const name = nameOf(schema);
  if (name === undefined) return schema;
  const found = documented.schemas[name];
  if (found === undefined) throw new Error(`the contract has no schema ${name}`);
  return found;
}

function operation(route: Route): Operation {
  const found = document.paths[route.path]?.[route.method.toLowerCase()];
  if (found === undefined) throw new Error(`the document has no ${route.method} ${route.path}`);
  return found;
}

export interface Fields {
  readonly properties: Readonly<Record<string, Schema>>;
  readonly required: readonly string[];
}

/** The fields of a body under their canonical names. */
export function bodyOf(route: Route): Fields {
  const schema = operation(route).requestBody?.content['application/json'].schema;
  if (schema === undefined) return { properties: {}, required: [] };
  const single = resolve(schema.anyOf?.[0] ?? schema);
  const synonyms = Object.values({
    ...(route.crypto === undefined ? route.synonyms : SYNONYMS[route.crypto.operation]),
  });
  const properties = Object.entries(single.properties ?? {}).filter(([name]) => !synonyms.includes(name));
  // A field that has a synonym is required as "one of the two".
  const eitherOf = (single.allOf ?? []).flatMap(({ anyOf }) => anyOf?.[0]?.required ?? []);
  return {
    properties: Object.fromEntries(withoutAbsent(properties)),
    required: [...(single.required ?? []), ...eitherOf],
  };
}

/** The query of an operation that has no body. */
export function queryOf(route: Route): Readonly<Record<string, Schema>> {
  const inQuery = operation(route).parameters.filter((parameter) => parameter.in === 'query');
  return Object.fromEntries(
    withoutAbsent(
      inQuery.map(({ name = '', schema = {}, description }) => [
        name,
        { ...schema, ...(description === undefined ? {} : { description }) },
      ]),
    ),
  );
}

/** Fields without the other ways to say that they are absent: this client omits them. */
function withoutAbsent(fields: readonly (readonly [string, Schema])[]): readonly (readonly [string, Schema])[] {
  return fields.map(([name, schema]) => {
    const [value, absent] = schema.anyOf ?? [];
    if (value === undefined || absent?.description !== 'The same as absent.') return [name, schema];
    const { anyOf: _both, ...rest } = schema;
    return [name, { ...value, ...rest }];
  });
}

/** The schema of what an operation returns, apart from batches. */
export function answerSchemaOf(route: Route): Schema {
  const content = operation(route).responses[String(route.status)]?.content['application/json'];
  if (content === undefined) throw new Error(`${route.operationId} has no JSON answer`);
  return content.schema.anyOf?.[0] ?? content.schema;
}
