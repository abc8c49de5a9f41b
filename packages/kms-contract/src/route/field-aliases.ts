import { badRequest, type CryptoOperation } from '@qnsp/kms-core';

/** How published clients name the fields of an operation: `b` ends them in `B64`, `c` in `Base64`. */
export type Dialect = 'canonical' | 'b' | 'c';

/** Canonical field names, and the names of the same fields elsewhere. */
export type Names = Readonly<Record<string, string>>;

export interface DialectNames {
  readonly request: Names;
  readonly answer: Names;
}

/**
 * The one table of dialects. Note `wrap` and `unwrap`: the same field has a different name in each of them, because
 * dialect B calls what goes in a plaintext and what comes out a ciphertext.
 */
export const DIALECTS: Readonly<Partial<Record<CryptoOperation, Readonly<Record<'b' | 'c', DialectNames>>>>> = {
  encrypt: {
    b: { request: { plaintext: 'plaintextB64' }, answer: { ciphertext: 'ciphertextB64' } },
    c: { request: { plaintext: 'plaintextBase64' }, answer: { ciphertext: 'ciphertextBase64' } },
  },
  decrypt: {
    b: { request: { ciphertext: 'ciphertextB64' }, answer: { plaintext: 'plaintextB64' } },
    c: { request: { ciphertext: 'ciphertextBase64' }, answer: { plaintext: 'plaintextBase64' } },
  },
  sign: {
    b: { request: { data: 'dataB64' }, answer: { signature: 'signatureB64' } },
    c: { request: { data: 'dataBase64' }, answer: { signature: 'signatureBase64' } },
  },
  verify: {
    b: { request: { data: 'dataB64', signature: 'signatureB64' }, answer: {} },
    c: { request: { data: 'dataBase64', signature: 'signatureBase64' }, answer: {} },
  },
  wrap: {
    b: { request: { dataKey: 'plaintextB64' }, answer: { wrappedKey: 'ciphertextB64' } },
    c: { request: { dataKey: 'plaintextBase64' }, answer: { wrappedKey: 'wrappedBase64' } },
  },
  unwrap: {
    b: { request: { wrappedKey: 'ciphertextB64' }, answer: { dataKey: 'plaintextB64' } },
    c: { request: { wrappedKey: 'wrappedBase64' }, answer: { dataKey: 'plaintextBase64' } },
  },
};

/** Further names of fields of a crypto request, which do not affect its answer. */
export const SYNONYMS: Readonly<Partial<Record<CryptoOperation, Names>>> = {
  sign: { data: 'message' },
  verify: { data: 'message' },
  reencrypt: { destinationKeyId: 'keyId' },
};

interface ForeignName {
  readonly canonical: string;
  readonly dialect: Dialect;
}

/** The names that are not canonical. Without a prototype, so that no name of a body is in it by accident. */
type ForeignNames = Readonly<Record<string, ForeignName | undefined>>;

const NO_NAMES = foreignNames([]);
const FOREIGN_NAMES = new Map<CryptoOperation, ForeignNames>();
for (const operation of [...Object.keys(DIALECTS), ...Object.keys(SYNONYMS)] as CryptoOperation[]) {
  const { b, c } = DIALECTS[operation] ?? {};
  FOREIGN_NAMES.set(
    operation,
    foreignNames([
      ['canonical', SYNONYMS[operation]],
      ['b', b?.request],
      ['c', c?.request],
    ]),
  );
}

function foreignNames(tables: readonly (readonly [Dialect, Names | undefined])[]): ForeignNames {
  const names = Object.create(null) as Record<string, ForeignName>;
  for (const [dialect, table] of tables) {
    for (const [canonical, name] of Object.entries(table ?? {})) names[name] = { canonical, dialect };
  }
  return names;
}

export type JsonObject = Readonly<Record<string, unknown>>;

export interface NormalisedRequest {
  /** The body under canonical names: the same object if it had no others. */
  readonly body: JsonObject;
  /** The dialect to answer in. */
  readonly dialect: Dialect;
  /** The names in the body that are not canonical, by the canonical ones; of a dialect all. */
  readonly sentNames?: Names;
}

/**
 * Converts a crypto body to canonical names. A field that is `null` counts as absent: clients of languages without
 * optional fields send it.
 *
 * @throws KmsError `BAD_REQUEST` for a body that names one field twice or uses two dialects.
 * @example
 * normaliseRequest('encrypt', { plaintextB64: 'aGk=' }); // { body: { plaintext: 'aGk=' }, dialect: 'b' }
 */
export function normaliseRequest(operation: CryptoOperation, body: JsonObject): NormalisedRequest {
  const normalised = normalise(body, FOREIGN_NAMES.get(operation) ?? NO_NAMES, false);
  const { dialect, sentNames } = normalised;
  if (dialect === 'canonical') return normalised;
  // Even for a missing field: its name in the dialect is the one that the caller knows.
  const names = Object.entries(DIALECTS[operation]?.[dialect].request ?? {}).filter(([name]) => !(name in body));
  return { ...normalised, sentNames: { ...Object.fromEntries(names), ...sentNames } };
}

/** Whether a crypto body has canonical names only, and no field that counts as absent. */
export function isCanonical(operation: CryptoOperation, body: JsonObject): boolean {
  return needsNoNames(body, FOREIGN_NAMES.get(operation) ?? NO_NAMES, false);
}

/** Converts any other body to canonical names. With `nullIsValue`, `null` does not count as absent. */
export function normaliseSynonyms(body: JsonObject, synonyms: Names, nullIsValue: boolean): NormalisedRequest {
  return normalise(body, foreignNames([['canonical', synonyms]]), nullIsValue);
}

function normalise(body: JsonObject, names: ForeignNames, nullIsValue: boolean): NormalisedRequest {
  return needsNoNames(body, names, nullIsValue) ? { body, dialect: 'canonical' } : rename(body, names, nullIsValue);
}

function needsNoNames(body: JsonObject, names: ForeignNames, nullIsValue: boolean): boolean {
  for (const name in body) {
    if (names[name] !== undefined || (body[name] === null && !nullIsValue)) return false;
  }
  return true;
}

function rename(body: JsonObject, names: ForeignNames, nullIsValue: boolean): NormalisedRequest {
  const fields = new Map<string, unknown>();
  const sentNames: Record<string, string> = {};
  let dialect: Dialect = 'canonical';
  for (const [name, value] of Object.entries(body)) {
    if (value === null && !nullIsValue) continue;
    const { canonical, dialect: spoken } = names[name] ?? { canonical: name, dialect: 'canonical' };
    if (fields.has(canonical))
      throw badRequest(
        name,
        `is given under two names, the other being ${sentNames[canonical] ?? canonical}; send one of them`,
      );
    if (spoken !== 'canonical') {
      if (dialect !== 'canonical' && spoken !== dialect)
        throw badRequest(name, 'is named in a different dialect from a field before it');
      dialect = spoken;
    }
    fields.set(canonical, value);
    if (canonical !== name) sentNames[canonical] = name;
  }
  // fromEntries defines properties, so that a field called __proto__ stays a field and is refused as unknown.
  return { body: Object.fromEntries(fields), dialect, sentNames };
}

/**
 * Adds the names of a dialect to an answer, beside the canonical ones. A canonical answer is returned as it is.
 *
 * @example
 * answerInDialect('encrypt', 'b', { ciphertext: 'AAAA' }); // { ciphertext: 'AAAA', ciphertextB64: 'AAAA' }
 */
export function answerInDialect<Answer extends JsonObject>(
  operation: CryptoOperation,
  dialect: Dialect,
  answer: Answer,
): Answer & JsonObject {
  if (dialect === 'canonical') return answer;
  const names = Object.entries(DIALECTS[operation]?.[dialect].answer ?? {}).filter(([field]) => field in answer);
  return { ...answer, ...Object.fromEntries(names.map(([field, name]) => [name, answer[field]])) };
}
