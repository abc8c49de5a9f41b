import type { CryptoOperation } from '@qnsp/kms-core/algorithms';
import { badRequest } from '@qnsp/kms-core/ports';

/** How published clients name the fields of an operation that hold base64: some end them in `B64`, others in `Base64`. */
export type AliasStyle = 'b64-suffix' | 'base64-suffix';

/** The names that a request uses, and that its answer therefore has as well. */
export type FieldNaming = 'canonical' | AliasStyle;

/** Canonical field names, and the names of the same fields elsewhere. */
export type Names = Readonly<Record<string, string>>;

/** The names of one style, by the canonical ones. */
export interface FieldAliases {
  readonly request: Names;
  readonly answer: Names;
}

/**
 * The one table of aliases. Note `wrap` and `unwrap`: the same field has a different name in each of them, because
 * `b64-suffix` calls what goes in a plaintext and what comes out a ciphertext.
 */
export const FIELD_ALIASES: Readonly<Partial<Record<CryptoOperation, Readonly<Record<AliasStyle, FieldAliases>>>>> = {
  encrypt: {
    'b64-suffix': { request: { plaintext: 'plaintextB64' }, answer: { ciphertext: 'ciphertextB64' } },
    'base64-suffix': { request: { plaintext: 'plaintextBase64' }, answer: { ciphertext: 'ciphertextBase64' } },
  },
  decrypt: {
    'b64-suffix': { request: { ciphertext: 'ciphertextB64' }, answer: { plaintext: 'plaintextB64' } },
    'base64-suffix': { request: { ciphertext: 'ciphertextBase64' }, answer: { plaintext: 'plaintextBase64' } },
  },
  sign: {
    'b64-suffix': { request: { data: 'dataB64' }, answer: { signature: 'signatureB64' } },
    'base64-suffix': { request: { data: 'dataBase64' }, answer: { signature: 'signatureBase64' } },
  },
  verify: {
    'b64-suffix': { request: { data: 'dataB64', signature: 'signatureB64' }, answer: {} },
    'base64-suffix': { request: { data: 'dataBase64', signature: 'signatureBase64' }, answer: {} },
  },
  wrap: {
    'b64-suffix': { request: { dataKey: 'plaintextB64' }, answer: { wrappedKey: 'ciphertextB64' } },
    'base64-suffix': { request: { dataKey: 'plaintextBase64' }, answer: { wrappedKey: 'wrappedBase64' } },
  },
  unwrap: {
    'b64-suffix': { request: { wrappedKey: 'ciphertextB64' }, answer: { dataKey: 'plaintextB64' } },
    'base64-suffix': { request: { wrappedKey: 'wrappedBase64' }, answer: { dataKey: 'plaintextBase64' } },
  },
};

/** Further names of fields of a crypto request, which do not affect its answer. */
export const SYNONYMS: Readonly<Partial<Record<CryptoOperation, Names>>> = {
  sign: { data: 'message' },
  verify: { data: 'message' },
  reencrypt: { destinationKeyId: 'keyId' },
};

interface Alias {
  readonly canonical: string;
  readonly naming: FieldNaming;
}

/** The names that are not canonical. Without a prototype, so that no name of a body is in it by accident. */
type Aliases = Readonly<Record<string, Alias | undefined>>;

const NO_NAMES = aliasesOf([]);
const ALIASES = new Map<CryptoOperation, Aliases>();
for (const operation of [...Object.keys(FIELD_ALIASES), ...Object.keys(SYNONYMS)] as CryptoOperation[]) {
  const aliases = FIELD_ALIASES[operation];
  ALIASES.set(
    operation,
    aliasesOf([
      ['canonical', SYNONYMS[operation]],
      ['b64-suffix', aliases?.['b64-suffix'].request],
      ['base64-suffix', aliases?.['base64-suffix'].request],
    ]),
  );
}

function aliasesOf(tables: readonly (readonly [FieldNaming, Names | undefined])[]): Aliases {
  const names = Object.create(null) as Record<string, Alias>;
  for (const [naming, table] of tables) {
    for (const [canonical, name] of Object.entries(table ?? {})) names[name] = { canonical, naming };
  }
  return names;
}

/** A JSON object, of which nothing is known yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

export interface NormalisedRequest {
  /** The body under canonical names: the same object if it had no others. */
  readonly body: JsonObject;
  /** The names that the answer has beside the canonical ones. */
  readonly naming: FieldNaming;
  /** The names in the body that are not canonical, by the canonical ones; of a style all. */
  readonly sentNames?: Names;
}

/**
 * Converts a crypto body to canonical names. A field that is `null` counts as absent: clients of languages without
 * optional fields send it.
 *
 * @throws KmsError `BAD_REQUEST` for a body that names one field twice or uses both styles.
 * For example:
 * normaliseRequest('encrypt', { plaintextB64: 'aGk=' }); // { body: { plaintext: 'aGk=' }, naming: 'b64-suffix' }
 */
export function normaliseRequest(operation: CryptoOperation, body: JsonObject): NormalisedRequest {
  const normalised = normalise(body, ALIASES.get(operation) ?? NO_NAMES, false);
  const { naming, sentNames } = normalised;
  if (naming === 'canonical') return normalised;
  // Even for a missing field: its name in that style is the one that the caller knows.
  const names = Object.entries(FIELD_ALIASES[operation]?.[naming].request ?? {}).filter(([name]) => !(name in body));
  return { ...normalised, sentNames: { ...Object.fromEntries(names), ...sentNames } };
}

/** Converts any other body to canonical names. With `nullIsValue`, `null` does not count as absent. */
export function normaliseSynonyms(body: JsonObject, synonyms: Names, nullIsValue: boolean): NormalisedRequest {
  return normalise(body, aliasesOf([['canonical', synonyms]]), nullIsValue);
}

function normalise(body: JsonObject, names: Aliases, nullIsValue: boolean): NormalisedRequest {
  return needsNoNames(body, names, nullIsValue) ? { body, naming: 'canonical' } : rename(body, names, nullIsValue);
}

function needsNoNames(body: JsonObject, names: Aliases, nullIsValue: boolean): boolean {
  for (const name in body) {
    if (names[name] !== undefined || (body[name] === null && !nullIsValue)) return false;
  }
  return true;
}

function rename(body: JsonObject, names: Aliases, nullIsValue: boolean): NormalisedRequest {
  const fields = new Map<string, unknown>();
  const sentNames: Record<string, string> = {};
  let naming: FieldNaming = 'canonical';
  for (const [name, value] of Object.entries(body)) {
    if (value === null && !nullIsValue) continue;
    const { canonical, naming: used } = names[name] ?? { canonical: name, naming: 'canonical' };
    if (fields.has(canonical))
      throw badRequest(
        name,
        `is given under two names, the other being ${sentNames[canonical] ?? canonical}; send one of them`,
      );
    if (used !== 'canonical') {
      if (naming !== 'canonical' && used !== naming)
        throw badRequest(name, 'ends differently from a field before it: end all such names in B64, or all in Base64');
      naming = used;
    }
    fields.set(canonical, value);
    if (canonical !== name) sentNames[canonical] = name;
  }
  // fromEntries defines properties, so that a field called __proto__ stays a field and is refused as unknown.
  return { body: Object.fromEntries(fields), naming, sentNames };
}

/**
 * Adds the aliases of a style to an answer, beside the canonical ones. A canonical answer is returned as it is.
 *
 * For example:
 * withAliases('encrypt', 'b64-suffix', { ciphertext: 'AAAA' }); // { ciphertext: 'AAAA', ciphertextB64: 'AAAA' }
 */
export function withAliases<Answer extends JsonObject>(
  operation: CryptoOperation,
  naming: FieldNaming,
  answer: Answer,
): Answer & JsonObject {
  if (naming === 'canonical') return answer;
  const names = Object.entries(FIELD_ALIASES[operation]?.[naming].answer ?? {}).filter(([field]) => field in answer);
  return { ...answer, ...Object.fromEntries(names.map(([field, name]) => [name, answer[field]])) };
}
