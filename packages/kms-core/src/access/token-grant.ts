import { KmsError } from '../errors/kms-error.ts';
import type { KeyId } from '../model/identifiers.ts';
import { fieldOf, TOKEN_ADDRESSES, TOKEN_KEYS, TOKEN_RATE } from '../model/record-fields.ts';
import { AddressSet } from './address-set.ts';
import type { ApiTokenRecord } from './api-token.ts';
import type { Caller } from './caller.ts';
import { effectivePermissions, type Permission } from './permissions.ts';

/** What a token is limited to beside its permissions; `null` is no limit. */
export interface TokenLimits {
  readonly keys: readonly KeyId[] | null;
  readonly addresses: readonly string[] | null;
  /** Units of cost in a second. */
  readonly rate: number | null;
  readonly expiresAt: Date | null;
}

/** All that a token lets its holder do. */
export interface TokenGrant extends TokenLimits {
  readonly permissions: ReadonlySet<Permission>;
}

/** The limits of a token that exists. */
export function limitsOf({ expiresAt, fields }: Pick<ApiTokenRecord, 'expiresAt' | 'fields'>): TokenLimits {
  return {
    keys: fieldOf(fields, TOKEN_KEYS) ?? null,
    addresses: fieldOf(fields, TOKEN_ADDRESSES) ?? null,
    rate: fieldOf(fields, TOKEN_RATE) ?? null,
    expiresAt,
  };
}

/** What a token that exists lets its holder do. */
export function grantOf(token: ApiTokenRecord): TokenGrant {
  return { ...limitsOf(token), permissions: effectivePermissions(token.role, token.permissions) };
}

/** What the credential of a caller is limited to itself. */
export function limitsOfCaller({ keys, credential }: Caller): TokenLimits {
  return {
    keys: keys ? [...keys] : null,
    addresses: credential?.addresses?.blocks ?? null,
    rate: credential?.rate ?? null,
    expiresAt: credential?.expiresAt ?? null,
  };
}

/**
 * Checks that nobody grants more than they hold: each permission and each limit must be within the caller's own.
 *
 * @throws KmsError `FORBIDDEN` naming the permission or the limit.
 */
export function requireWithin(caller: Caller, grant: TokenGrant): void {
  for (const permission of grant.permissions)
    if (!caller.permissions.has(permission))
      throw new KmsError(
        'FORBIDDEN',
        `The token would have ${permission}, which the credential itself does not have.`,
        { details: { permission } },
      );
  const own = limitsOfCaller(caller);
  const { keys } = own;
  if (keys !== null && !(grant.keys?.every((keyId) => keys.includes(keyId)) ?? false))
    throw beyond('keys', 'would be for keys that the credential itself is not for');
  if (own.addresses !== null && !coversAddresses(own.addresses, grant.addresses))
    throw beyond('addresses', 'would be taken from addresses that the credential itself is not taken from');
  if (own.rate !== null && !(grant.rate !== null && grant.rate <= own.rate))
    throw beyond('rate', 'would have a higher rate than the credential itself');
  if (own.expiresAt !== null && !(grant.expiresAt !== null && grant.expiresAt <= own.expiresAt))
    throw beyond('expiresAt', 'would be valid for longer than the credential itself');
}

function coversAddresses(own: readonly string[], granted: readonly string[] | null): boolean {
  return granted !== null && new AddressSet(own).covers(new AddressSet(granted));
}

function beyond(limit: keyof TokenLimits, what: string): KmsError {
  return new KmsError('FORBIDDEN', `The token ${what}.`, { details: { limit } });
}
