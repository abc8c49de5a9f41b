import type { KeyRecord, KeyVersionRecord, VersionMaterial } from '../model/key.ts';
import { NO_FIELDS } from '../model/record-fields.ts';

/** Bytes as base64, instants as milliseconds since the epoch; the rest as it is. */
type Json<T> = T extends Uint8Array ? string : T extends Date ? number : T extends object ? JsonObject<T> : T;
type JsonObject<T> = { readonly [K in keyof T]: Json<T[K]> };
type VersionJson = Json<Omit<KeyVersionRecord, 'fields'>> & Pick<KeyVersionRecord, 'fields'>;
/** A key record as JSON. Metadata and optional fields are JSON already. */
export type RecordJson = Json<Omit<KeyRecord, 'metadata' | 'fields' | 'versions'>> &
  Pick<KeyRecord, 'metadata' | 'fields'> & { readonly versions: readonly VersionJson[] };

/** What a node of an earlier release shares: it knows only the first format, which has no optional fields. */
type EarlierJson<T extends { readonly fields: unknown }> = Omit<T, 'fields'> & Partial<Pick<T, 'fields'>>;
type AnyRecordJson = Omit<EarlierJson<RecordJson>, 'versions' | 'mac'> & {
  readonly versions: readonly EarlierJson<VersionJson>[];
  readonly mac: Omit<RecordJson['mac'], 'format'> & Partial<Pick<RecordJson['mac'], 'format'>>;
};

/** A record as a value that JSON keeps whole. */
export function encodeRecord(record: KeyRecord): RecordJson {
  const { revocation, rotation, usageLimits } = record;
  return {
    ...record,
    revocation: revocation === null ? null : { ...revocation, at: revocation.at.getTime() },
    versions: record.versions.map(encodeVersion),
    rotation: { ...rotation, nextRotationAt: timeOf(rotation.nextRotationAt) },
    usageLimits: { ...usageLimits, expiresAt: timeOf(usageLimits.expiresAt) },
    createdAt: record.createdAt.getTime(),
    updatedAt: record.updatedAt.getTime(),
    destroyAt: timeOf(record.destroyAt),
    mac: { ...record.mac, tag: textOf(record.mac.tag) },
  };
}

/** The record that {@link encodeRecord} was given. */
export function decodeRecord(json: AnyRecordJson): KeyRecord {
  const { revocation, rotation, usageLimits } = json;
  return {
    ...json,
    revocation: revocation === null ? null : { ...revocation, at: new Date(revocation.at) },
    versions: json.versions.map(decodeVersion),
    rotation: { ...rotation, nextRotationAt: dateOf(rotation.nextRotationAt) },
    usageLimits: { ...usageLimits, expiresAt: dateOf(usageLimits.expiresAt) },
    createdAt: new Date(json.createdAt),
    updatedAt: new Date(json.updatedAt),
    destroyAt: dateOf(json.destroyAt),
    fields: json.fields ?? NO_FIELDS,
    mac: { format: 1, ...json.mac, tag: bytesOf(json.mac.tag) },
  };
}

function encodeVersion(version: KeyVersionRecord): VersionJson {
  return {
    ...version,
    material: encodeMaterial(version.material),
    publicKey: version.publicKey === null ? null : textOf(version.publicKey),
    createdAt: version.createdAt.getTime(),
  };
}

function decodeVersion(json: EarlierJson<VersionJson>): KeyVersionRecord {
  return {
    ...json,
    material: decodeMaterial(json.material),
    publicKey: json.publicKey === null ? null : bytesOf(json.publicKey),
    createdAt: new Date(json.createdAt),
    fields: json.fields ?? NO_FIELDS,
  };
}

function encodeMaterial(material: VersionMaterial): Json<VersionMaterial> {
  if (material.kind === 'sealed') return { ...material, sealed: textOf(material.sealed) };
  if (material.kind === 'resident') return { ...material, handle: textOf(material.handle) };
  return material;
}

function decodeMaterial(json: Json<VersionMaterial>): VersionMaterial {
  if (json.kind === 'sealed') return { ...json, sealed: bytesOf(json.sealed) };
  if (json.kind === 'resident') return { ...json, handle: bytesOf(json.handle) };
  return json;
}

function timeOf(at: Date | null): number | null {
  return at === null ? null : at.getTime();
}

function dateOf(time: number | null): Date | null {
  return time === null ? null : new Date(time);
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}
