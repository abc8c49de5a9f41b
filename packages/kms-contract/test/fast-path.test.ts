import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EXAMPLE } from '../src/answers/examples.ts';
import { ALL_ROUTES, encodeAnswer, encodeAnswerText, parseRequest, type Route, ROUTES } from '../src/index.ts';
import { FIELD_ALIASES, SYNONYMS } from '../src/route/field-aliases.ts';

/** The same route without its fast paths: everything goes through the schemas. */
function bySchemasOnly(route: Route): Route {
  return { ...route, readBody: undefined, writeAnswer: undefined, writeAnswerText: undefined };
}

function outcome(work: () => unknown): unknown {
  try {
    return { value: work() };
  } catch (error) {
    return { error: JSON.parse(JSON.stringify(error)) as unknown, message: String(error) };
  }
}

const crypto = ALL_ROUTES.filter((route) => route.crypto !== undefined);
const text = fc.oneof(
  fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes).toString('base64')),
  fc.string({ maxLength: 12 }),
  fc.constantFrom('AB==', 'AA', 'AA=', 'A===', 'AA==\n', '-_-_', EXAMPLE.keyId, EXAMPLE.keyId.toUpperCase(), ''),
);
const value = fc.oneof(
  { weight: 4, arbitrary: text },
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
  fc.constantFrom('der', 'pss'),
  fc.dictionary(fc.string({ maxLength: 4 }), fc.oneof(fc.string({ maxLength: 4 }), fc.integer()), { maxKeys: 3 }),
  fc.array(text, { maxLength: 2 }),
);

describe('the fast path of a request and of an answer', () => {
  it('is there for the operations that are used most', () => {
    for (const route of [ROUTES.encrypt, ROUTES.decrypt, ROUTES.sign, ROUTES.verify, ROUTES.wrap, ROUTES.unwrap]) {
      expect(route.readBody, route.operationId).toBeDefined();
      expect(route.writeAnswer, route.operationId).toBeDefined();
    }
    const plaintext = randomBytes(32);
    expect(ROUTES.encrypt.readBody?.({ plaintext: plaintext.toString('base64') })).toEqual({ plaintext });
  });

  it.each(crypto.map((route) => [route.operationId, route] as const))(
    'of %s gives the value or the error that the schema gives',
    (_, route) => {
      const example = fc.constant(route.example.body ?? {});
      // With fields of the operation that are right, wrong, missing, unknown, or named twice.
      const names = fc.constantFrom(
        ...Object.keys(route.example.body ?? {}),
        'keyId',
        'tenantId',
        'context',
        'dataB64',
        'x',
        '__proto__',
      );
      const changes = fc.array(fc.tuple(names, value), { maxLength: 3 });
      const removed = fc.option(names, { nil: undefined });
      fc.assert(
        fc.property(example, changes, removed, fc.boolean(), (body, changed, without, inPath) => {
          const entries = [...Object.entries(body), ...changed].filter(([name]) => name !== without);
          const raw = {
            params: inPath ? { keyId: EXAMPLE.keyId } : {},
            // As JSON.parse makes it, where __proto__ is a field like any other.
            body: JSON.parse(JSON.stringify(Object.fromEntries(entries))) as unknown,
          };
          expect(outcome(() => parseRequest(route, raw))).toEqual(
            outcome(() => parseRequest(bySchemasOnly(route), raw)),
          );
        }),
        { numRuns: 300 },
      );
    },
  );

  it.each(crypto.map((route) => [route.operationId, route] as const))(
    'of an answer of %s writes what the schema writes',
    (_, route) => {
      const answer: unknown = route.response.parse(route.example.answer);
      for (const naming of ['canonical', 'b64-suffix', 'base64-suffix'] as const) {
        const extended = { ...(answer as object), secret: 'stays behind' };
        expect(encodeAnswer(route, extended, naming)).toEqual(encodeAnswer(bySchemasOnly(route), extended, naming));
        expect(encodeAnswerText(route, extended, naming)).toBe(
          encodeAnswerText(bySchemasOnly(route), extended, naming),
        );
        expect(encodeAnswer(route, answer, naming)).toMatchObject(route.example.answer as object);
      }
    },
  );

  it('writes each answer as it is, whatever the one before was', () => {
    const answers = fc.record({
      ciphertext: fc.constantFrom(Buffer.from('a'), Buffer.from('bc')),
      keyId: fc.constantFrom(EXAMPLE.keyId, EXAMPLE.otherKeyId),
      keyVersion: fc.constantFrom(1, 2),
      algorithm: fc.constantFrom('aes-256-gcm', 'aes-128-gcm'),
    });
    const route = ROUTES.encrypt;
    fc.assert(
      fc.property(fc.array(answers), (all) => {
        expect(all.map((answer) => encodeAnswerText(route, answer))).toEqual(
          all.map((answer) => JSON.stringify(encodeAnswer(bySchemasOnly(route), answer))),
        );
      }),
    );
  });

  it('leaves aliases and absent fields to the schemas', () => {
    expect(ROUTES.encrypt.readBody?.({ plaintext: 'AA==' })).toBeDefined();
    for (const { crypto: traits, readBody, example } of crypto) {
      const body: Readonly<Record<string, unknown>> = example.body ?? {};
      for (const name of Object.keys(body)) expect(readBody?.({ ...body, [name]: null }), name).toBeUndefined();
      const styles = Object.values((traits && FIELD_ALIASES[traits.operation]) ?? {});
      const tables = [traits && SYNONYMS[traits.operation], ...styles.map(({ request }) => request)];
      const foreign = tables.flatMap((names) => Object.entries<string>(names ?? {}));
      for (const [canonical, name] of foreign) {
        const { [canonical]: field = 'AA==', ...others } = body;
        expect(readBody?.({ ...others, [name]: field }), name).toBeUndefined();
        expect(readBody?.({ ...body, [name]: field }), name).toBeUndefined();
      }
    }
    for (const body of [null, 'AA==', '', [], 1]) expect(ROUTES.createDataKey.readBody?.(body)).toBeUndefined();
  });
});
