import { ANSWER_SHAPES } from '../generated/answer-shapes.ts';
import type { Operation } from '../generated/operations.ts';
import { fromBase64 } from './base64.ts';

/** Says what in an answer does not match the contract: the name of a field, never its value. */
export class MalformedAnswer extends Error {}

/** An answer with its bytes decoded. Fields that the contract does not name are kept. Throws {@link MalformedAnswer}. */
export function decodeAnswer({ answer }: Operation, json: unknown): unknown {
  if (answer === 'text') return json;
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw new MalformedAnswer('is not an object');
  const decoded: Record<string, unknown> = { ...json };
  // For callers who may change a key but not read it.
  if (answer === 'Key' && decoded['changed'] === true) return decoded;
  const shape: Readonly<Record<string, string>> = ANSWER_SHAPES[answer];
  for (const [name, type] of Object.entries(shape)) {
    const value = decoded[name];
    if (type.startsWith('bytes')) {
      if (value === undefined && type === 'bytes?') continue;
      const data = typeof value === 'string' ? fromBase64(value) : undefined;
      if (data === undefined) throw new MalformedAnswer(`has no base64 in ${name}`);
      decoded[name] = data;
    } else if (!type.split('|').includes(typeName(value))) {
      throw new MalformedAnswer(`has no ${type} in ${name}`);
    }
  }
  return decoded;
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}
