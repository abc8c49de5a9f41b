import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { expect } from 'vitest';
import { document, type Operation } from './document-operations.ts';

const ajv = new Ajv2020({ strict: false, allErrors: false, validateFormats: true });
// Its types are those of a module without a default export under this resolution.
(addFormats as unknown as (ajv: Ajv2020) => void)(ajv);
ajv.addSchema(document, 'document');

export interface FuzzedAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** Fails for an answer that the document does not have. */
export function expectDocumented(operation: Operation, { status, headers, text }: FuzzedAnswer): void {
  const answer = operation.answers[String(status)];
  expect(Object.keys(operation.answers), `the status ${status}: ${text.slice(0, 300)}`).toContain(String(status));
  expect(status === 503 && operation.path.endsWith('z') ? 0 : status, text.slice(0, 300)).toBeLessThan(500);
  const type = headers.get('content-type')?.split(';')[0] ?? '';
  expect(Object.keys(answer?.content ?? {})).toContain(type);
  for (const name of Object.keys(answer?.headers ?? {}))
    if (name !== 'Retry-After') expect(headers.has(name), name).toBe(true);
  if (type !== 'application/json') return;
  const schema = answer?.content[type]?.schema ?? {};
  const validate = ajv.compile(withReferences(schema));
  const json: unknown = JSON.parse(text);
  expect(validate(json) ? [] : validate.errors, text.slice(0, 500)).toEqual([]);
}

/** The same schema with references that lead into the document from anywhere. */
function withReferences(schema: object): object {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"document#/')) as object;
}
