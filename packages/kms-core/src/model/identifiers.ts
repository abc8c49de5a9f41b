import { randomUUIDv7 } from 'node:crypto';
import { asBuffer } from '../encoding/as-buffer.ts';

/** A tenant, as a UUID in lower case. */
export type TenantId = string;
/** A key, as a UUID in lower case. Never used twice, not even after the key's destruction. */
export type KeyId = string;

/** The pseudo-tenant whose master key seals what belongs to the service itself (RFC 9562 nil UUID). */
export const SYSTEM_TENANT: TenantId = '00000000-0000-0000-0000-000000000000';

/** How an id is spelt in lower case, as part of a regular expression. */
export const ID_PATTERN = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const UUID = new RegExp(`^${ID_PATTERN}$`, 'i');

/** A new time-ordered id (RFC 9562 UUID version 7). */
export function newId(): string {
  return randomUUIDv7();
}

/** Whether the text is a UUID, in either case. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** RFC 9562, sections 4.1 and 4.2: the variant 10x, and the versions that it defines. */
const KNOWN_VERSION = /^.{14}[1-8].{4}[89ab]/i;

/** Whether the text is a UUID of a version and variant that RFC 9562 knows; other programs take no other. */
export function isVersionedUuid(text: string): boolean {
  return isUuid(text) && KNOWN_VERSION.test(text);
}

/** The 16 bytes of a UUID. */
export function uuidToBytes(id: string): Buffer {
  return Buffer.from(id.replaceAll('-', ''), 'hex');
}

/** The UUID of the 16 bytes from `at` on, in lower case. */
export function uuidFromBytes(bytes: Uint8Array, at = 0): string {
  const hex = asBuffer(bytes).toString('hex', at, at + 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}
