import { z } from 'zod';

/**
 * Turns the JSON form of a field into its value if it is valid, and returns `undefined` for everything else, which zod
 * then examines and explains.
 */
export type FastDecode = (json: unknown) => unknown;
/** Turns a value into its JSON form; `undefined` when it has another type. */
export type FastEncode = (value: unknown) => string | number | boolean | undefined;

const decoders = z.registry<{ readonly decode: FastDecode }>();
const encoders = z.registry<{ readonly encode: FastEncode }>();

/** Says how a field is read, or written, without zod. Must agree with the schema wherever it returns anything. */
export function withFastPath<Schema extends z.ZodType>(
  schema: Schema,
  path: { readonly decode?: FastDecode; readonly encode?: FastEncode },
): Schema {
  if (path.decode !== undefined) decoders.add(schema, { decode: path.decode });
  if (path.encode !== undefined) encoders.add(schema, { encode: path.encode });
  return schema;
}

export type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads an object of fields that all have a fast path. Cryptographic requests are small and nearly always valid, and
 * then zod takes longer than their cryptography; anything unusual gets `undefined` here and goes to zod.
 *
 * @returns `undefined` for a schema whose required fields do not all have a fast path
 */
export function fastReader(schema: z.ZodType): ((json: unknown) => Record<string, unknown> | undefined) | undefined {
  // A rule about several fields is zod's.
  if (!(schema instanceof z.ZodObject) || (schema.def.checks ?? []).length > 0) return undefined;
  const fields = new Map<string, FastDecode>();
  const required: string[] = [];
  for (const [name, field] of Object.entries<z.ZodType>(schema.shape)) {
    const optional = field instanceof z.ZodExactOptional;
    const decode = decoders.get(optional ? (field.unwrap() as z.ZodType) : field)?.decode;
    if (decode !== undefined) fields.set(name, decode);
    else if (!optional) return undefined;
    if (!optional) required.push(name);
  }
  return (json) => {
    if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined;
    const value: Record<string, unknown> = {};
    // A name that the schema does not have may be another one for the same field.
    for (const name in json) {
      const decoded = fields.get(name)?.((json as Fields)[name]);
      if (decoded === undefined) return undefined;
      value[name] = decoded;
    }
    for (const name of required) if (value[name] === undefined) return undefined;
    return value;
  };
}

/** The fast path for what is the same internally and in JSON. */
function plainEncode(field: z.ZodType): FastEncode | undefined {
  if ((field.def.checks ?? []).length > 0) return undefined;
  if (field instanceof z.ZodString) return (value) => (typeof value === 'string' ? value : undefined);
  if (field instanceof z.ZodBoolean) return (value) => (typeof value === 'boolean' ? value : undefined);
  if (field instanceof z.ZodNumberFormat)
    return (value) => (typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined);
  return undefined;
}

/**
 * Writes an object of fields that all have a fast path as JSON text, without what the schema does not name.
 *
 * @returns `undefined` for a schema of which a field has none
 */
export function fastTextWriter(schema: z.ZodType): ((value: Fields) => string | undefined) | undefined {
  if (!(schema instanceof z.ZodObject)) return undefined;
  const runs: ((value: Fields) => string | undefined)[] = [];
  let plain: PlainField[] = [];
  let begin = '{';
  for (const [name, field] of Object.entries<z.ZodType>(schema.shape)) {
    const ofBytes = encoders.get(field)?.encode;
    const encode = ofBytes ?? plainEncode(field);
    if (encode === undefined) return undefined;
    const named = `${begin}${JSON.stringify(name)}:`;
    begin = ',';
    if (ofBytes === undefined) plain.push({ name, begin: named, encode });
    else {
      if (plain.length > 0) runs.push(plainWriter(plain));
      plain = [];
      runs.push((value) => {
        const encoded = encode(value[name]);
        // Base64 needs no escapes.
        return encoded === undefined ? undefined : `${named}"${encoded}"`;
      });
    }
  }
  if (plain.length > 0) runs.push(plainWriter(plain));
  return (value) => {
    let text = '';
    for (const write of runs) {
      const written = write(value);
      if (written === undefined) return undefined;
      text += written;
    }
    return `${text}}`;
  };
}

interface PlainField {
  readonly name: string;
  /** The text before its value. */
  readonly begin: string;
  readonly encode: FastEncode;
}

/** Writes neighbouring fields without bytes. The answers of one key have the same in all of them, so the last text is kept with its values. */
function plainWriter(fields: readonly PlainField[]): (value: Fields) => string | undefined {
  let kept: readonly unknown[] = [];
  let keptText: string | undefined;
  return (value) => {
    let same = 0;
    for (const { name } of fields) {
      if (keptText === undefined || value[name] !== kept[same]) break;
      same += 1;
    }
    if (same === fields.length) return keptText;
    let text = '';
    for (const { name, begin, encode } of fields) {
      const encoded = encode(value[name]);
      if (encoded === undefined) return undefined;
      // What is not a string looks the same in JSON.
      text += begin + (typeof encoded === 'string' ? JSON.stringify(encoded) : String(encoded));
    }
    kept = fields.map(({ name }) => value[name]);
    keptText = text;
    return text;
  };
}

/**
 * Writes an object of fields that all have a fast path, without what the schema does not name.
 *
 * @returns `undefined` for a schema of which a field has none
 */
export function fastWriter(schema: z.ZodType): ((value: Fields) => Record<string, unknown> | undefined) | undefined {
  if (!(schema instanceof z.ZodObject)) return undefined;
  const fields: (readonly [name: string, encode: FastEncode])[] = [];
  for (const [name, field] of Object.entries<z.ZodType>(schema.shape)) {
    const encode = encoders.get(field)?.encode ?? plainEncode(field);
    if (encode === undefined) return undefined;
    fields.push([name, encode]);
  }
  return (value) => {
    const json: Record<string, unknown> = {};
    for (const [name, encode] of fields) {
      const encoded = encode(value[name]);
      if (encoded === undefined) return undefined;
      json[name] = encoded;
    }
    return json;
  };
}
