import { z } from 'zod';

/** A JSON Schema (draft 2020-12) of a value in a request or an answer. */
export type JsonSchema = { readonly [keyword: string]: unknown };

interface WireSchema {
  /** The JSON Schema of the field's JSON form, where zod cannot derive it. */
  readonly json?: JsonSchema;
  /** The name under which the OpenAPI document lists the schema once. */
  readonly component?: string;
}

/** What the OpenAPI document knows about a schema besides what zod derives. */
export const wireSchemas = z.registry<WireSchema>();

/** The schemas that have a name. An annotated copy of one keeps its name, so this says which is the original. */
export const componentSchemas = new Map<string, z.ZodType>();

/** States how a field looks in JSON. */
export function onTheWire<Schema extends z.ZodType>(schema: Schema, json: JsonSchema): Schema {
  wireSchemas.add(schema, { json });
  return schema;
}

/** Names a schema, so that the OpenAPI document lists it once and refers to it. */
export function component<Schema extends z.ZodType>(name: string, schema: Schema): Schema {
  if (componentSchemas.has(name)) throw new Error(`two schemas have the name ${name}`);
  componentSchemas.set(name, schema);
  wireSchemas.add(schema, { component: name });
  return schema;
}
