import { ALL_ROUTES, type Route } from '@qnsp/kms-contract';
import { answerSchemaOf, documented, isText, nameOf, resolve, type Schema } from './contract-document.ts';

/** What an answer that has no name in the contract is called here. */
export function answerName(route: Route): string {
  const schema = answerSchemaOf(route);
  const name = nameOf(schema) ?? `${route.operationId[0]?.toUpperCase()}${route.operationId.slice(1)}Answer`;
  if (nameOf(schema) === undefined)
    // A record, such as the OpenAPI document, has no fields of its own to check.
    Object.assign(documented.schemas, { [name]: { properties: {}, ...schema } });
  return name;
}

/** For each answer the JSON types of its fields, by which the client recognises it. */
export function answerShapes(): string {
  const shapes = new Map<string, Readonly<Record<string, string>>>();
  for (const route of ALL_ROUTES) {
    if (isText(route)) continue;
    const { properties = {}, required = [] } = resolve(answerSchemaOf(route));
    const fields = Object.entries(properties).flatMap(([name, schema]) => {
      const type = jsonType(resolve(schema));
      if (required.includes(name)) return [[name, type] as const];
      // An optional field matters only where it has to be decoded.
      return type === 'bytes' && !(schema.description ?? '').startsWith('Only where')
        ? [[name, 'bytes?'] as const]
        : [];
    });
    shapes.set(answerName(route), Object.fromEntries(fields));
  }
  const rows = [...shapes].map(([name, fields]) => `  ${name}: ${JSON.stringify(fields)},`);
  return `/**
 * What each answer must hold: JSON types by field, with \`bytes\` for base64, a bar between alternatives, and a question mark after
 * what may be absent.
 */
export const ANSWER_SHAPES = {
${rows.join('\n')}
} as const satisfies Readonly<Record<string, Readonly<Record<string, string>>>>;
`;
}

function jsonType(schema: Schema): string {
  if (schema.contentEncoding === 'base64') return 'bytes';
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map((each) => jsonType(resolve(each))))].join('|');
  if (schema.const !== undefined) return typeof schema.const;
  const types = [schema.type].flat();
  return types.map((type) => (type === 'integer' ? 'number' : String(type))).join('|');
}
