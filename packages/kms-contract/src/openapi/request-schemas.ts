import { FIELD_ALIASES, SYNONYMS } from '../route/field-aliases.ts';
import { failedItemSchema } from '../errors/errors.ts';
import type { JsonSchema } from '../fields/wire-schema.ts';
import { LIMITS } from '../bounds/limits.ts';
import type { Address, Route } from '../route/route.ts';
import type { Components } from './components.ts';

type Names = Readonly<Record<string, string>>;

/** The schema of what a route takes as its body. */
export function bodySchema(route: Route, address: Address, components: Components): JsonSchema {
  const name = `${route.operationId[0]?.toUpperCase()}${route.operationId.slice(1)}Request`;
  const schema = components.of(route.body);
  if (route.crypto === undefined) {
    const isListed = '$ref' in schema;
    if (isListed && route.nullIsValue !== true) components.replace(schema, orNull);
    if (isListed) return schema;
    const named = withSynonyms(schema, route.synonyms ?? {});
    return components.add(name, route.nullIsValue === true ? named : orNull(named));
  }
  const canonical = orNull(schema);
  const { operation, keyRequired } = route.crypto;
  const aliases = FIELD_ALIASES[operation];
  const single = [
    components.add(name, orNull(withSynonyms(schema, SYNONYMS[operation] ?? {}))),
    ...(aliases === undefined
      ? []
      : [
          components.add(`${name}B64`, renamed(canonical, aliases['b64-suffix'].request)),
          components.add(`${name}Base64`, renamed(canonical, aliases['base64-suffix'].request)),
        ]),
  ];
  const needsKey = keyRequired && !address.path.includes('{keyId}');
  const items = components.add(`${name}Batch`, batchOf(single));
  return {
    anyOf: [...single.map((one) => (needsKey ? { allOf: [one, { required: ['keyId'] }] } : one)), items],
  };
}

/** The schema of what a route returns. */
export function answerSchema(route: Route, components: Components): JsonSchema {
  const schema = components.of(route.response);
  if (route.crypto === undefined) return schema;
  const name = String(schema['$ref']).split('/').at(-1) ?? '';
  for (const { answer } of Object.values(FIELD_ALIASES[route.crypto.operation] ?? {})) {
    const entries = Object.entries(answer).map(
      ([field, other]) => [other, synonymOf(field, 'Only if the request used such names')] as const,
    );
    components.extend(name, Object.fromEntries(entries));
  }
  const batch = components.add(`${name}Batch`, {
    type: 'object',
    description: 'The answers to the items of a batch, in their order.',
    properties: { items: { type: 'array', items: { anyOf: [schema, components.of(failedItemSchema)] } } },
    required: ['items'],
  });
  return { anyOf: [schema, batch] };
}

function batchOf(single: readonly JsonSchema[]): JsonSchema {
  return {
    type: 'object',
    description: 'Independent items; one that is wrong does not affect the others.',
    properties: {
      tenantId: { anyOf: [{ type: 'string', format: 'uuid' }, ABSENT] },
      keyId: {
        anyOf: [{ type: 'string', format: 'uuid' }, ABSENT],
        description: 'The key for every item that does not name one.',
      },
      items: {
        type: 'array',
        minItems: 1,
        maxItems: LIMITS.batchItems,
        items: {
          anyOf: [...single, { description: 'Anything else: its error takes its place in the answer.' }],
        },
      },
    },
    required: ['items'],
    additionalProperties: ABSENT,
  };
}

/** What counts as an absent field: languages without optional fields send it. */
const ABSENT = { type: 'null', description: 'The same as absent.' };

/** The same schema, in which every field that may be absent may be `null`, as may any that the request does not know. */
function orNull(schema: JsonSchema): JsonSchema {
  const { properties, required } = parts(schema);
  const entries = Object.entries(properties).map(([name, { description, ...value }]) => {
    if (required.includes(name)) return [name, properties[name]];
    return [name, { anyOf: [value, ABSENT], ...(description === undefined ? {} : { description }) }];
  });
  // Absent is absent under any name, such as an alias of the other style.
  const closed = schema['additionalProperties'] === false;
  return { ...schema, properties: Object.fromEntries(entries), ...(closed ? { additionalProperties: ABSENT } : {}) };
}

/** The same schema with other names for some fields. */
function renamed(schema: JsonSchema, names: Names): JsonSchema {
  const rename = (field: string) => names[field] ?? field;
  const { properties, required } = parts(schema);
  return {
    ...schema,
    description: 'The same under the names used by some published clients; the answer holds both.',
    properties: Object.fromEntries(Object.entries(properties).map(([field, value]) => [rename(field), value])),
    required: required.map(rename),
  };
}

/** The same schema with synonyms for some fields, of which a request uses one. */
function withSynonyms(schema: JsonSchema, synonyms: Names): JsonSchema {
  const { properties, required } = parts(schema);
  const entries = Object.entries(synonyms).filter(([field]) => field in properties);
  const choices = entries
    .filter(([field]) => required.includes(field))
    .map(([field, other]) => ({ anyOf: [{ required: [field] }, { required: [other] }] }));
  const kept = required.filter((field) => synonyms[field] === undefined);
  const { required: _, ...rest } = schema;
  return {
    ...rest,
    properties: { ...properties, ...Object.fromEntries(entries.map(([field, other]) => [other, synonymOf(field)])) },
    ...(kept.length === 0 ? {} : { required: kept }),
    ...(choices.length === 0 ? {} : { allOf: choices }),
  };
}

function synonymOf(field: string, when?: string): JsonSchema {
  return { type: 'string', description: `${when === undefined ? 'T' : `${when}: t`}he same as \`${field}\`.` };
}

function parts(schema: JsonSchema): {
  readonly properties: Readonly<Record<string, JsonSchema>>;
  readonly required: readonly string[];
} {
  // The bodies of these routes are objects.
  const { properties = {}, required = [] } = schema as { properties?: Record<string, JsonSchema>; required?: string[] };
  return { properties, required };
}
