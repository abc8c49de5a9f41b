import type { Identity } from '../access/identity.ts';
import { type ProvenClaims, subjectOf } from '../access/proven-claims.ts';
import { notAuthorized, RefusedCredential } from '../access/refused-credential.ts';
import { KmsError } from '../errors/kms-error.ts';
import type { RefusedFor } from '../model/audit-event.ts';
import type { TenantId } from '../model/identifiers.ts';

/** Whom the bindings of tenants let a credential be, when they were read. */
export interface BoundIdentities {
  /** One for each tenant that has bindings for it and does not deny it. */
  readonly identities: readonly Identity[];
  /** The tenants that know it and do not let it in, and why. */
  readonly refusedBy: readonly Refuser[];
  /** The call names no tenant, and there are more bindings than are read for it: those left out may be of any tenant. */
  readonly tooMany: boolean;
  /** When one of the bindings ends, in milliseconds since 1970: from then on it has to be read again. */
  readonly until: number;
  /** The beginnings of all that its bindings and denials are found by, or would be if there were more. */
  readonly names: Uint32Array;
}

/** A tenant that knows somebody and does not let them in, and why. */
export interface Refuser {
  readonly tenantId: TenantId;
  readonly refusedFor: RefusedFor;
}

/**
 * The one whom what was read lets the bearer of proven claims be.
 *
 * @throws KmsError `UNAUTHORIZED` for nobody, `TENANT_MISMATCH` for several
 */
export function choose({ identities, refusedBy, tooMany }: BoundIdentities, proven: ProvenClaims): Identity {
  const [identity] = identities;
  if (tooMany || identities.length > 1)
    throw new KmsError(
      'TENANT_MISMATCH',
      'Several tenants let this credential in. Name the one that the call is for, in the header x-qnsp-tenant.',
    );
  if (identity === undefined) throw refusal(proven, refusedBy);
  return identity;
}

/** What those are refused with whom no tenant lets in. */
export function refusal(proven: ProvenClaims, [refuser]: readonly Refuser[]): KmsError {
  if (refuser === undefined) return notAuthorized();
  const { tenantId, refusedFor } = refuser;
  return new RefusedCredential({ subject: subjectOf(proven), tenantId, credential: proven.credential }, refusedFor);
}

/** What names begin with, to find again what is held by them. */
export function beginningsOf(names: readonly Buffer[]): Uint32Array {
  return Uint32Array.from(names, (name) => name.readUInt32BE());
}

const IDENTITY_BYTES = 1500;
const BYTES_OF_LISTED = 128;
const BYTES_OF_PERMISSION = 64;

/** Roughly what it takes in memory. */
export function bytesOf({ identities, names }: BoundIdentities): number {
  return identities.reduce((sum, identity) => sum + bytesOfIdentity(identity), IDENTITY_BYTES + names.byteLength);
}

function bytesOfIdentity({ permissions, keys, onKeys }: Identity): number {
  const sets = [permissions, ...new Set(onKeys?.values())];
  const listed = (keys?.size ?? 0) + (onKeys?.size ?? 0);
  return (
    IDENTITY_BYTES + BYTES_OF_LISTED * listed + BYTES_OF_PERMISSION * sets.reduce((sum, { size }) => sum + size, 0)
  );
}
