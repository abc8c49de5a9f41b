import fc from 'fast-check';
import { type Operation, resolve } from './document-operations.ts';
import { valuesOf } from './schema-arbitrary.ts';

export interface FuzzedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON, or what came of it. */
  readonly body: string | undefined;
}

/** What requests are about, so that they get past the ids. */
export interface Known {
  readonly tenantId: string;
  readonly keyIds: readonly string[];
}

const HEADER_TEXT = /^[\x21-\x7e]([\x20-\x7e]{0,40}[\x21-\x7e])?$/;
const JUNK = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom('', '\0', '\ud800', '__proto__', -1, 1e308, [], {}, null),
);

/** Requests of an operation: as the document wants them, or with one thing about them changed. */
export function requestsOf(operation: Operation, known: Known): fc.Arbitrary<FuzzedRequest> {
  const parameters = operation.parameters.map(({ schema, required }) => {
    const values = valuesOf(schema, resolve).map(String);
    return required === true ? values : fc.option(values, { nil: undefined });
  });
  const body = operation.body === undefined ? fc.constant(undefined) : bodies(valuesOf(operation.body, resolve));
  return fc
    .record({
      values: fc.tuple(...parameters),
      body,
      keyId: fc.constantFrom(...known.keyIds),
      strayName: stray,
      strayHeader: stray,
      mangled: fc.nat(7),
    })
    .map(({ values, body: json, keyId, strayName, strayHeader, mangled }) => {
      let { path } = operation;
      const query = new URLSearchParams();
      const headers: Record<string, string> = { 'content-type': 'application/json' };
      for (const [index, { name, in: place }] of operation.parameters.entries()) {
        const value = values[index];
        if (value === undefined) continue;
        if (place === 'path') path = path.replace(`{${name}}`, encodeURIComponent(idOf(name, value, keyId, known)));
        else if (place === 'query') query.append(name, name === 'tenantId' && value !== '' ? known.tenantId : value);
        else if (HEADER_TEXT.test(value)) headers[name] = name === 'x-qnsp-tenant' ? known.tenantId : value;
      }
      if (mangled === 1) query.append(strayName, strayName);
      if (mangled === 2 && HEADER_TEXT.test(strayHeader)) headers['if-match'] = strayHeader;
      const text = query.toString();
      return {
        method: operation.method,
        path: text === '' ? path : `${path}?${text}`,
        headers,
        body: json && ofTenant(json, known, keyId),
      };
    });
}

const stray = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).map((text) => text.toWellFormed());

function idOf(name: string, value: string, keyId: string, known: Known): string {
  if (name === 'keyId') return keyId;
  return name === 'tenantId' ? known.tenantId : value;
}

/** Gives a body the tenant of the caller, without which no call gets far, and a key that there is. */
function ofTenant(json: string, { tenantId }: Known, keyId: string): string {
  return json
    .replaceAll(/"tenantId":"[0-9a-f-]{36}"/g, `"tenantId":"${tenantId}"`)
    .replaceAll(/"keyId":"[0-9a-f-]{36}"/g, `"keyId":"${keyId}"`);
}

function bodies(valid: fc.Arbitrary<unknown>): fc.Arbitrary<string> {
  const json = valid.map((value) => JSON.stringify(value));
  const mutated = fc
    .tuple(valid, fc.nat(), JUNK, fc.string())
    .map(([value, at, junk, name]) => JSON.stringify(mutate(value, at, junk, name)));
  const torn = fc.tuple(json, fc.nat()).map(([text, at]) => text.slice(0, at % (text.length + 1)));
  return fc.oneof({ weight: 4, arbitrary: json }, { weight: 4, arbitrary: mutated }, { weight: 1, arbitrary: torn });
}

/** The same value with one place of it changed, left away or added. */
function mutate(value: unknown, at: number, junk: unknown, name: string): unknown {
  const copy: unknown = structuredClone(value);
  const places = placesOf(copy);
  const place = places[at % (places.length + 1)];
  if (place === undefined) return junk;
  if (at % 3 === 0 && !Array.isArray(place.holder)) Reflect.deleteProperty(place.holder, place.name);
  else
    Object.defineProperty(place.holder, at % 3 === 1 ? place.name : Array.isArray(place.holder) ? place.name : name, {
      value: junk,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  return copy;
}

interface Place {
  readonly holder: object;
  readonly name: string;
}

function placesOf(value: unknown): readonly Place[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) => [{ holder: value, name }, ...placesOf(member)]);
}
