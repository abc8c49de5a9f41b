import { z } from 'zod';
import { componentSchemas, type JsonSchema, wireSchemas } from '../fields/wire-schema.ts';

/** What the document lists once under `components`, collected while it is written. */
export class Components {
  readonly #byName = new Map<string, JsonSchema>();
  readonly #responses = new Map<string, JsonSchema>();
  readonly #replaced = new Set<string>();

  /** The JSON Schema of a value's JSON form, with references to the components in it. */
  of(schema: z.ZodType): JsonSchema {
    const name = wireSchemas.get(schema)?.component;
    return name === undefined ? this.#convert(schema) : this.#refer(name);
  }

  /** Lists a schema under a name of the caller's choice. */
  add(name: string, schema: JsonSchema): JsonSchema {
    this.#byName.set(name, schema);
    return reference(name);
  }

  /** Replaces a listed schema by what is made of it, once. */
  replace(listed: JsonSchema, make: (schema: JsonSchema) => JsonSchema): void {
    const name = String(listed['$ref']).split('/').at(-1) ?? '';
    const schema = this.#byName.get(name);
    if (schema === undefined) throw new Error(`there is no component ${name} to replace`);
    if (this.#replaced.has(name)) return;
    this.#replaced.add(name);
    this.#byName.set(name, make(schema));
  }

  /** Adds properties to a listed schema. */
  extend(name: string, properties: Readonly<Record<string, JsonSchema>>): void {
    const schema = this.#byName.get(name);
    if (schema === undefined) throw new Error(`there is no component ${name} to extend`);
    this.#byName.set(name, { ...schema, properties: { ...(schema['properties'] as object), ...properties } });
  }

  /** Lists a response once under a name that stands for its content. */
  response(name: string, write: () => JsonSchema): JsonSchema {
    if (!this.#responses.has(name)) this.#responses.set(name, write());
    return { $ref: `#/components/responses/${name}` };
  }

  /** All schemas and responses, in the order of their names. */
  all(): { readonly schemas: JsonSchema; readonly responses: JsonSchema } {
    return { schemas: byName(this.#byName), responses: byName(this.#responses) };
  }

  #refer(name: string): JsonSchema {
    const schema = componentSchemas.get(name);
    if (schema !== undefined && !this.#byName.has(name)) {
      // Marked before the conversion, so that a component that holds itself ends.
      this.#byName.set(name, {});
      this.#byName.set(name, this.#convert(schema));
    }
    return reference(name);
  }

  #convert(root: z.ZodType): JsonSchema {
    const { $schema: _, ...json } = z.toJSONSchema(root, {
      // The JSON form of a codec is its input, in requests and in answers.
      io: 'input',
      unrepresentable: 'any',
      override: ({ zodSchema, jsonSchema }) => {
        // Every schema of this package is of zod's classic kind.
        const schema = zodSchema as z.core.$ZodType as z.ZodType;
        const { json: wire, component } = wireSchemas.get(schema) ?? {};
        if (wire !== undefined) replace(jsonSchema, wire);
        dropSafeIntegerBounds(jsonSchema);
        if (component !== undefined && schema !== root) replace(jsonSchema, this.#refer(component));
      },
    });
    return json;
  }
}

function byName(components: ReadonlyMap<string, JsonSchema>): JsonSchema {
  return Object.fromEntries([...components].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function reference(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}

/** zod states the bounds of whole numbers in JavaScript, which mean nothing to a reader of the document. */
function dropSafeIntegerBounds(jsonSchema: Record<string, unknown>): void {
  if (jsonSchema['minimum'] === Number.MIN_SAFE_INTEGER) delete jsonSchema['minimum'];
  if (jsonSchema['maximum'] === Number.MAX_SAFE_INTEGER) delete jsonSchema['maximum'];
}

/** Replaces a schema by another one, which keeps its own description. */
function replace(jsonSchema: Record<string, unknown>, other: JsonSchema): void {
  const { description } = jsonSchema;
  for (const keyword of Object.keys(jsonSchema)) delete jsonSchema[keyword];
  Object.assign(jsonSchema, other, description === undefined ? {} : { description });
}
