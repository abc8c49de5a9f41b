import type { JsonValue } from './metadata.ts';

/**
 * What records gained since their first format, by tag. The MAC of the record covers each tag with its value, whether or not
 * this release knows it, so a node keeps what a newer one wrote. A tag that begins with `!` is critical: a release that does
 * not know it must not act on the record at all.
 */
export type RecordFields = Readonly<Record<string, JsonValue>>;

/** The optional fields of a record that has none. */
export const NO_FIELDS: RecordFields = {};

/** What a release has to know of a field to keep and record it. */
export interface KnownField {
  /** Never reused for another meaning or another shape of its value. */
  readonly tag: string;
  /** How evidence shows a change: the value itself, which is then text, a number or a list of text, or its SHA-256. */
  readonly evidence: 'value' | 'sha256';
}

/** A field that this release reads and writes. */
export interface RecordField<Value> extends KnownField {
  readonly encode: (value: Value) => JsonValue;
  readonly decode: (stored: JsonValue) => Value;
}

/** The fields that a release knows, by what they are fields of. */
export interface KnownFields {
  readonly key: readonly KnownField[];
  readonly version: readonly KnownField[];
  readonly token: readonly KnownField[];
  readonly tenant: readonly KnownField[];
}

/** Who created a token: an id or a subject, as evidence names its caller. */
export const TOKEN_CREATOR = textField('creator');
/** The identity of the token that created a token. */
export const TOKEN_PARENT = textField('parentTokenId');
/** Free text, as nobody knows what somebody writes into it. */
export const TOKEN_PURPOSE = textField('purpose', 'sha256');
/** The only keys that a token is for. */
export const TOKEN_KEYS = listField('!keys');
/** The only addresses, and blocks of them, that a token is used from. */
export const TOKEN_ADDRESSES = listField('!addresses');
/** How many units of cost a token may take in a second. */
export const TOKEN_RATE = numberField('!rate');
/**
 * Who a token is, where its own id does not say it: the id of the first one of those that replaced one another. Critical, as a policy
 * may deny that one something.
 */
export const TOKEN_IDENTITY = textField('!identity');
/** The token that a token replaced. */
export const TOKEN_REPLACES = textField('replaces');
/** Until when a token is taken that was replaced, in milliseconds since 1970. */
export const TOKEN_OVERLAP_END: RecordField<Date> = {
  tag: '!overlapEnd',
  evidence: 'value',
  encode: (value) => value.getTime(),
  // What is no number never compares as later than now.
  decode: (stored) => new Date(Number(stored)),
};

/**
 * What the secret of the access key of a token is derived from, beside its id: 16 random bytes. Without the master key of the service
 * they tell nothing; a token that does not have them has no access key.
 */
export const TOKEN_ACCESS_KEY_SALT: RecordField<Uint8Array> = {
  tag: 'accessKeySalt',
  evidence: 'sha256',
  encode: (value) => Buffer.from(value).toString('base64'),
  // Nothing else is ever written under the tag of an authentic record; of anything else no secret is derived that anybody was shown.
  decode: (stored) => Buffer.from(typeof stored === 'string' ? stored : '', 'base64'),
};

/**
 * When the denial of an identity was lifted, in milliseconds since 1970. Not critical: a release that does not know it goes on
 * denying.
 */
export const DENIAL_LIFTED_AT: RecordField<Date> = {
  tag: 'liftedAt',
  evidence: 'value',
  encode: (value) => value.getTime(),
  decode: (stored) => new Date(Number(stored)),
};
/** The subject of the caller who lifted it. */
export const DENIAL_LIFTED_BY = textField('liftedBy');

/** How many units of cost a tenant may take in a second, in place of what holds for all; 0 is no limit. */
export const TENANT_RATE = numberField('!rate');
/** How many of them at once. */
export const TENANT_BURST = numberField('!burst');
/** How many keys a tenant may have, in place of what holds for all; 0 is any number. The same for the ones below. */
export const TENANT_KEYS = numberField('!keys');
/** How many versions each of its keys may have. */
export const TENANT_KEY_VERSIONS = numberField('!keyVersions');
/** How many API tokens. */
export const TENANT_TOKENS = numberField('!tokens');
/** How many identity bindings. */
export const TENANT_BINDINGS = numberField('!identityBindings');
/** How many operations it may do in a month. */
export const TENANT_OPERATIONS = numberField('!operationsPerMonth');
/** How many answers are kept for it under idempotency keys. */
export const TENANT_KEPT_ANSWERS = numberField('!keptAnswers');
/** For how many days after its last use a key of the tenant is destroyed only by who acknowledges that use, in place of what holds for all. */
export const TENANT_DESTROY_GUARD = numberField('!destroyGuardDays');
/** How many others have to approve what cannot be undone, in place of what holds for all. */
export const TENANT_REQUIRE_APPROVAL = numberField('!requireApproval');
/** The same of one key, beside that. */
export const KEY_REQUIRE_APPROVAL = numberField('!requireApproval');
/** The guard of one key, beside that of its tenant. */
export const KEY_DESTROY_GUARD = numberField('!destroyGuardDays');

/** The 12 digits that a tenant goes by where no UUID is taken; no other tenant has them. */
export const TENANT_ACCOUNT = textField('account');

/** When the present version of a tenant's master key was made, in milliseconds since 1970; absent for the first one, which the tenant came with. */
export const TENANT_MASTER_KEY_CREATED: RecordField<Date> = {
  tag: 'masterKeyCreatedAt',
  evidence: 'value',
  encode: (value) => value.getTime(),
  decode: (stored) => new Date(Number(stored)),
};

/** What is left of a version of a tenant's master key that was destroyed. */
export interface StoredRetiredKey {
  readonly version: number;
  /** Until when it is needed, in milliseconds since 1970. */
  readonly until: number;
  /** Its keys for what lasts a day at most, sealed under a later version; in base64. */
  readonly sealed: string;
}

/** What is left of the versions of a tenant's master key that were destroyed lately. */
export const TENANT_RETIRED_MASTER_KEYS: RecordField<readonly StoredRetiredKey[]> = {
  tag: 'retiredMasterKeys',
  evidence: 'sha256',
  encode: (value) => value.map(({ version, until, sealed }) => ({ version, until, sealed })),
  // The record is authentic, and nothing else is ever written under the tag.
  decode: (stored) => stored as readonly unknown[] as readonly StoredRetiredKey[],
};

/**
 * What the claims of a certificate must be, beside the credential that a binding is for: each by its name a value, or the beginning of one
 * and `*`. Critical, as it lets fewer in.
 */
export const BINDING_CERTIFICATE: RecordField<Readonly<Record<string, string>>> = {
  tag: '!certificate',
  evidence: 'sha256',
  encode: (value) => ({ ...value }),
  // The record is authentic, and nothing else is ever written under the tag.
  decode: (stored) => stored as Readonly<Record<string, string>>,
};

/** The fields that this release knows of an identity binding. */
export const KNOWN_BINDING_FIELDS: readonly KnownField[] = [BINDING_CERTIFICATE];

/** The fields that this release knows. `CONTRIBUTING.md` says how to add one. */
export const KNOWN_FIELDS: KnownFields = {
  key: [KEY_DESTROY_GUARD, KEY_REQUIRE_APPROVAL],
  version: [],
  token: [
    TOKEN_CREATOR,
    TOKEN_PARENT,
    TOKEN_PURPOSE,
    TOKEN_KEYS,
    TOKEN_ADDRESSES,
    TOKEN_RATE,
    TOKEN_IDENTITY,
    TOKEN_REPLACES,
    TOKEN_OVERLAP_END,
    TOKEN_ACCESS_KEY_SALT,
  ],
  tenant: [
    TENANT_RATE,
    TENANT_BURST,
    TENANT_KEYS,
    TENANT_KEY_VERSIONS,
    TENANT_TOKENS,
    TENANT_BINDINGS,
    TENANT_OPERATIONS,
    TENANT_KEPT_ANSWERS,
    TENANT_ACCOUNT,
    TENANT_DESTROY_GUARD,
    TENANT_REQUIRE_APPROVAL,
    TENANT_MASTER_KEY_CREATED,
    TENANT_RETIRED_MASTER_KEYS,
  ],
};

function numberField(tag: string): RecordField<number> {
  return { tag, evidence: 'value', encode: (value) => value, decode: Number };
}

function textField(tag: string, evidence: KnownField['evidence'] = 'value'): RecordField<string> {
  return { tag, evidence, encode: (value) => value, decode: String };
}

function listField(tag: string): RecordField<readonly string[]> {
  return {
    tag,
    evidence: 'value',
    encode: (values) => [...values],
    // The record is authentic, and nothing else is ever written under the tag. Anything else would allow nothing.
    decode: (stored) => (Array.isArray(stored) ? stored.map(String) : []),
  };
}

/** The value of a field; `undefined` where a record does not have it. */
export function fieldOf<Value>(fields: RecordFields, { tag, decode }: RecordField<Value>): Value | undefined {
  const stored = Object.hasOwn(fields, tag) ? fields[tag] : undefined;
  return stored === undefined ? undefined : decode(stored);
}

/** The fields with another value of one of them; `undefined` removes it. All others stay, known or not. */
export function withField<Value>(
  fields: RecordFields,
  { tag, encode }: RecordField<Value>,
  value: Value | undefined,
): RecordFields {
  const { [tag]: _, ...others } = fields;
  return value === undefined ? others : { ...others, [tag]: encode(value) };
}

/** Whether a release that does not know a field must not act on a record with it: its tag begins with `!`. */
export function isCritical(tag: string): boolean {
  return tag.startsWith('!');
}
