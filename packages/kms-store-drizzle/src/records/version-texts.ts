import type { VersionMaterial } from '@qnsp/kms-core/internal';
import { type KeyVersionRecord, NO_FIELDS } from '@qnsp/kms-core/ports';
import { getTableColumns, sql } from 'drizzle-orm';
import { kms } from '../schema/columns.ts';
import { keys } from '../schema/keys.ts';

/** Stand between the values of a version and between versions. JSON and base64 contain neither; in any other value they spoil the record. */
const UNIT = '\x1f';
const RECORD = '\x1e';
const ABSENT = '-';
const VALUES = 11;

const inBase64 = (column: string) => sql.raw(`coalesce(encode(v.${column}, 'base64'), '${ABSENT}')`);

/**
 * All versions of the key of a row of `keys`, ascending, as one text: PostgreSQL writes that about four times as fast as JSON. Each
 * statement that reads it sees a key and its versions at the same moment.
 */
const versionTexts = sql<string | null>`(
  select string_agg(concat_ws(E'\\x1f', v.version, v.state, v.algorithm, v.origin, v.provider, coalesce(v.tmk_version::text, '-'),
    ${inBase64('sealed')}, ${inBase64('handle')}, ${inBase64('public_key')}, (date_part('epoch', v.created_at) * 1000)::bigint, v.fields),
    E'\\x1e' order by v.version)
  from ${kms}.key_versions v where v.key_id = "keys"."key_id"
)`;

/** What to select of `keys` for a whole key. */
export const WHOLE_KEY = { ...getTableColumns(keys), versions: versionTexts };

/** The versions in such a text. */
export function versionsIn(texts: string | null): readonly KeyVersionRecord[] {
  return texts === null ? [] : texts.split(RECORD).map(toVersion);
}

function toVersion(text: string): KeyVersionRecord {
  return readVersion(text.split(UNIT)) ?? spoiled(text);
}

/** `undefined` for what no version is written with. */
function readVersion(values: readonly string[]): KeyVersionRecord | undefined {
  const [version, state, algorithm, origin, provider, tmkVersion, sealed, handle, publicKey, createdAt, inJson] =
    values;
  if (values.length !== VALUES || algorithm === undefined || provider === undefined || inJson === undefined) return;
  const [number, instant, fields] = [Number(version), Number(createdAt), fieldsIn(inJson)];
  if (!Number.isSafeInteger(number) || !Number.isSafeInteger(instant) || fields === undefined) return;
  return {
    version: number,
    // The database checks both.
    state: state as KeyVersionRecord['state'],
    algorithm,
    origin: origin as KeyVersionRecord['origin'],
    provider,
    material: toMaterial(tmkVersion, bytes(sealed), bytes(handle)),
    publicKey: bytes(publicKey),
    createdAt: new Date(instant),
    fields,
  };
}

function fieldsIn(json: string): KeyVersionRecord['fields'] | undefined {
  if (json === '{}') return NO_FIELDS;
  try {
    return JSON.parse(json) as KeyVersionRecord['fields'];
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/**
 * What stands for a version that somebody spoiled: with separators in its provider, which no MAC covers. So its key is refused as one that
 * was forged, and those that are read with it are not.
 */
function spoiled(text: string): KeyVersionRecord {
  return {
    version: 0,
    state: 'destroyed',
    algorithm: '',
    origin: 'generated',
    provider: `${UNIT}${text}`,
    material: { kind: 'none' },
    publicKey: null,
    createdAt: new Date(0),
    fields: NO_FIELDS,
  };
}

function toMaterial(
  tmkVersion: string | undefined,
  sealed: Uint8Array | null,
  handle: Uint8Array | null,
): VersionMaterial {
  if (sealed !== null && tmkVersion !== ABSENT) return { kind: 'sealed', tmkVersion: Number(tmkVersion), sealed };
  if (handle !== null) return { kind: 'resident', handle };
  return { kind: 'none' };
}

/** PostgreSQL breaks base64 into lines; Node ignores that. */
function bytes(base64: string | undefined): Uint8Array | null {
  return base64 === undefined || base64 === ABSENT ? null : Buffer.from(base64, 'base64');
}
