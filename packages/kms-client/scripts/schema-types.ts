import { nameOf, type Schema } from './contract-document.ts';

/** Whose types are written: a request takes dates as well, and algorithms by any of their names. */
export type Direction = 'request' | 'answer';

const WIDTH = 110;

/** A doc comment, wrapped, or nothing for no text. */
export function comment(text: string | undefined, indent = ''): string {
  if (text === undefined || text === '') return '';
  const lines: string[] = [];
  for (const word of text.replaceAll(/\s+/g, ' ').trim().split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < WIDTH) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`;
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}\n`).join('')}${indent} */\n`;
}

/** The declaration of a named schema. */
export function declaration(name: string, schema: Schema | undefined, used: Set<string>): string {
  if (schema?.properties === undefined) throw new Error(`${name} is not an object of the contract`);
  // Aliases in answers exist only for requests that used them, which this client never does.
  const properties = Object.entries(schema.properties).filter(
    ([, { description }]) => description?.startsWith('Only if the request used such names') !== true,
  );
  const direction =
    name.endsWith('Request') || name.endsWith('Settings') || name === 'UsageLimits' || name === 'KeyPolicy'
      ? 'request'
      : 'answer';
  const fields = Object.fromEntries(properties);
  return `${comment(schema.description)}export interface ${name} ${objectType({ properties: fields, required: schema.required ?? [] }, direction, used)}`;
}

export interface ObjectFields {
  readonly properties: Readonly<Record<string, Schema>>;
  readonly required: readonly string[];
}

export function objectType({ properties, required }: ObjectFields, direction: Direction, used: Set<string>): string {
  const lines = Object.entries(properties).map(([name, schema]) => {
    // A value passed on from elsewhere is often `undefined`; in a request that means absent.
    const mark = required.includes(name) ? '' : '?';
    const undefinedToo = mark === '?' && direction === 'request' ? ' | undefined' : '';
    return `${comment(schema.description)}readonly ${name}${mark}: ${typeOf(schema, direction, used, name)}${undefinedToo};`;
  });
  return `{\n${lines.join('\n')}\n}`;
}

/** The TypeScript type of a value: bytes where JSON has base64. */
export function typeOf(schema: Schema, direction: Direction, used: Set<string>, field = ''): string {
  const name = nameOf(schema);
  if (name !== undefined) {
    used.add(name);
    return name;
  }
  if (schema.const !== undefined) return literal(schema.const);
  if (schema.enum !== undefined) return schema.enum.map(literal).join(' | ');
  if (schema.anyOf !== undefined)
    return [...new Set(schema.anyOf.map((each) => typeOf(each, direction, used, field)))].join(' | ');
  if (schema.contentEncoding === 'base64') return 'Uint8Array';
  if (Array.isArray(schema.type))
    return schema.type.map((type: string) => typeOf({ ...schema, type }, direction, used, field)).join(' | ');
  switch (schema.type) {
    case 'string':
      if (direction === 'request' && schema.format === 'date-time') return 'string | Date';
      return direction === 'request' && field === 'algorithm' ? 'AlgorithmName' : 'string';
    case 'integer':
    case 'number':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'null':
      return 'null';
    case 'array':
      return `readonly (${typeOf(schema.items ?? {}, direction, used)})[]`;
    case 'object':
      if (schema.properties !== undefined)
        return objectType({ properties: schema.properties, required: schema.required ?? [] }, direction, used);
      return `Readonly<Record<string, ${typeof schema.additionalProperties === 'object' ? typeOf(schema.additionalProperties, direction, used) : 'unknown'}>>`;
    case undefined:
      return 'unknown';
    default:
      throw new Error(`no type for the schema ${JSON.stringify(schema)}`);
  }
}

function literal(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : String(value);
}
