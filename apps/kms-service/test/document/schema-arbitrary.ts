import fc from 'fast-check';

/** As much of JSON Schema as the document of the service uses. */
export interface Schema {
  readonly $ref?: string;
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly pattern?: string;
  readonly contentEncoding?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly propertyNames?: Schema;
  readonly maxProperties?: number;
  readonly examples?: readonly unknown[];
}

/** More would only make requests larger. */
const MAX_ITEMS = 4;
const MAX_CHARACTERS = 64;
const LATEST = new Date('9999-12-31T00:00:00Z');

/** Values that a schema of the document allows. */
export function valuesOf(schema: Schema, resolve: (reference: string) => Schema): fc.Arbitrary<unknown> {
  const of = (part: Schema): fc.Arbitrary<unknown> => valuesOf(part, resolve);
  if (schema.$ref !== undefined) return of(resolve(schema.$ref));
  if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map(of));
  // Only what an object must have besides stands in them.
  if (schema.allOf !== undefined) {
    const { allOf, ...rest } = schema;
    return of(allOf.reduce(bothOf(resolve), rest));
  }
  if ('const' in schema) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (typeof schema.type === 'object') return fc.oneof(...schema.type.map((type) => of({ ...schema, type })));
  switch (schema.type) {
    case 'string':
      return schema.examples === undefined
        ? texts(schema)
        : fc.oneof(fc.constantFrom(...schema.examples), texts(schema));
    case 'integer':
      return wholeNumbers(schema);
    case 'number':
      return fc.double({ noNaN: true, noDefaultInfinity: true });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'array':
      return fc.array(of(schema.items ?? {}), {
        minLength: schema.minItems ?? 0,
        maxLength: Math.min(schema.maxItems ?? MAX_ITEMS, MAX_ITEMS),
      });
    case 'object':
      return objects(schema, of);
    case undefined:
      return fc.jsonValue({ maxDepth: 2 });
    default:
      throw new Error(`no values for the schema ${JSON.stringify(schema)}`);
  }
}

function bothOf(resolve: (reference: string) => Schema) {
  return (one: Schema, part: Schema): Schema => {
    const other = part.$ref === undefined ? part : resolve(part.$ref);
    const [first] = other.anyOf ?? [];
    const { required = [], ...rest } = first ?? other;
    return { ...one, ...rest, required: [...(one.required ?? []), ...required] };
  };
}

function texts({
  format,
  contentEncoding,
  pattern,
  minLength = 0,
  maxLength = MAX_CHARACTERS,
}: Schema): fc.Arbitrary<string> {
  if (contentEncoding === 'base64')
    return fc.uint8Array({ minLength: 1, maxLength: 48 }).map((data) => Buffer.from(data).toString('base64'));
  if (pattern !== undefined && format === undefined) return fc.stringMatching(new RegExp(pattern));
  if (format === 'uuid') return fc.uuid();
  if (format === 'date-time')
    return fc.date({ min: new Date(0), max: LATEST, noInvalidDate: true }).map((at) => at.toISOString());
  return fc.string({ unit: 'binary', minLength, maxLength: Math.min(maxLength, MAX_CHARACTERS) });
}

function wholeNumbers({ minimum, exclusiveMinimum, maximum }: Schema): fc.Arbitrary<number> {
  const min = minimum ?? (exclusiveMinimum === undefined ? Number.MIN_SAFE_INTEGER : exclusiveMinimum + 1);
  return fc.oneof(
    fc.maxSafeInteger().filter((value) => value >= min && value <= (maximum ?? value)),
    fc.integer({ min: Math.max(min, -10), max: Math.min(maximum ?? 10, Math.max(min, -10) + 20) }),
  );
}

function objects(schema: Schema, of: (part: Schema) => fc.Arbitrary<unknown>): fc.Arbitrary<object> {
  const { properties, required = [], additionalProperties, propertyNames, maxProperties = MAX_ITEMS } = schema;
  if (properties !== undefined) {
    const fields = Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, of(value)]));
    return fc.record(fields, { requiredKeys: required.filter((name) => name in fields) });
  }
  const names = texts({ minLength: 1, maxLength: 16, ...propertyNames });
  const values = of(typeof additionalProperties === 'object' ? additionalProperties : {});
  return fc.dictionary(names, values, { maxKeys: Math.min(maxProperties, MAX_ITEMS) });
}
