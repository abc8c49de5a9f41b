import { sortedJson } from '../encoding/sorted-json.ts';
import type { Permission, Role } from './permissions.ts';
import type { TenantId } from '../model/identifiers.ts';
import type { RecordMac } from '../model/key.ts';
import { fieldOf, type RecordFields, TOKEN_IDENTITY, TOKEN_OVERLAP_END } from '../model/record-fields.ts';

/** An API token as it is stored: never the token, only its keyed hash. */
export interface ApiTokenRecord {
  readonly tokenId: string;
  /** `null` for a platform-wide credential. */
  readonly tenantId: TenantId | null;
  readonly name: string;
  /** Keyed hash of the token; see `hierarchy/token-authority.ts`. */
  readonly hash: Uint8Array;
  readonly role: Role | null;
  /** Permissions beyond those of the role, or all of them where there is no role. */
  readonly permissions: readonly Permission[];
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  /** What tokens gained since format 1. */
  readonly fields: RecordFields;
  /** Covers every field above; `null` for a token that was made before records of tokens had one. */
  readonly mac: RecordMac | null;
}

/** A token record that still needs its MAC. */
export type UnsignedApiTokenRecord = Omit<ApiTokenRecord, 'mac'>;

/** Who a token is: its own id, or that of the first token of those that replaced one another. */
export function identityOfToken({ tokenId, fields }: Pick<ApiTokenRecord, 'tokenId' | 'fields'>): string {
  return fieldOf(fields, TOKEN_IDENTITY) ?? tokenId;
}

/** When a token ends by itself: it expires, or was replaced and is taken until then; `null` for never. */
export function endOfToken({ expiresAt, fields }: Pick<ApiTokenRecord, 'expiresAt' | 'fields'>): Date | null {
  const overlapEnd = fieldOf(fields, TOKEN_OVERLAP_END);
  if (expiresAt === null || overlapEnd === undefined) return expiresAt ?? overlapEnd ?? null;
  return expiresAt < overlapEnd ? expiresAt : overlapEnd;
}

/** Whether a token is of no use to anybody at a time. */
export function hasEnded(token: Pick<ApiTokenRecord, 'expiresAt' | 'fields' | 'revokedAt'>, at: Date): boolean {
  const end = endOfToken(token);
  return token.revokedAt !== null || (end !== null && !(end > at));
}

/** Whether a token is one of those of which a tenant may have so many: it has not ended, and another one has not taken its place. */
export function takesRoom(token: Pick<ApiTokenRecord, 'expiresAt' | 'fields' | 'revokedAt'>, at: Date): boolean {
  return !hasEnded(token, at) && fieldOf(token.fields, TOKEN_OVERLAP_END) === undefined;
}

/** Whether a token was replaced and nothing else: its fields gained the end of its overlap, which they did not have. */
export function isRetirement(before: RecordFields, after: RecordFields): boolean {
  const { [TOKEN_OVERLAP_END.tag]: end, ...others } = after;
  return !(TOKEN_OVERLAP_END.tag in before) && end !== undefined && sortedJson(others) === sortedJson(before);
}
