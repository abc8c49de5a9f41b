import { type ApiTokenRecord, hasEnded, identityOfToken } from '../access/api-token.ts';
import { type Caller, requirePermission } from '../access/caller.ts';
import { grantOf, requireWithin } from '../access/token-grant.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { checkIdempotency } from '../bounds/check-change.ts';
import { checkId, checkInteger } from '../bounds/check-values.ts';
import { KmsError } from '../errors/kms-error.ts';
import type { RecordedChange } from '../evidence/operation-evidence.ts';
import type { MasterKeyChain } from '../hierarchy/master-key-chain.ts';
import { type TokenAuthority, tokenAuthority } from '../hierarchy/token-authority.ts';
import { newId } from '../model/identifiers.ts';
import {
  fieldOf,
  NO_FIELDS,
  TOKEN_IDENTITY,
  TOKEN_OVERLAP_END,
  TOKEN_REPLACES,
  withField,
} from '../model/record-fields.ts';
import type { UnitOfWork } from '../ports/store.ts';
import {
  type CreatedApiToken,
  describeToken,
  type NewToken,
  sealToken,
  type ShownOnce,
  shownOnce,
} from './api-tokens.ts';
import { OPERATIONS } from './catalog.ts';
import { holdCredential } from './hold-credential.ts';
import type { Operation } from './operation.ts';
import { requireOwnLineage } from './require-own-lineage.ts';
import { runOnce } from './run-once.ts';

export interface RotateApiTokenInput {
  readonly tokenId: string;
  /** For how long the token that is replaced is still taken; default: an hour. */
  readonly overlapSeconds?: number;
}

/**
 * Replaces a token by one of the same identity with the same permissions, limits and expiry; the old one is taken for a while yet. The
 * token that makes the call may replace itself, whatever it holds. Everybody else needs the permission, and no less than the token
 * has: they get to know its secret. A token of the tenant may besides replace only what it created, level by level.
 *
 * @throws KmsError `FORBIDDEN` for a token that is beyond the caller's credential or not of its lineage, `UNAUTHORIZED` when that
 *   credential has ended in the meantime.
 * @throws KmsError `CONFLICT` for a repeated call, and for a token that has ended or was replaced already.
 */
export async function rotateApiToken(
  op: Operation,
  { tokenId, overlapSeconds = BOUNDS.overlapSeconds.default }: RotateApiTokenInput,
): Promise<CreatedApiToken> {
  const { kms, caller } = op;
  checkId('tokenId', tokenId);
  const itself = caller.credential?.tokenId === tokenId;
  if (!itself) requirePermission(caller, OPERATIONS.rotateToken.permission);
  checkInteger('overlapSeconds', overlapSeconds, 0, BOUNDS.overlapSeconds.maximum);
  checkIdempotency(op.idempotency);
  const authority = await tokenAuthority(kms.hierarchy);
  const { tenantId } = caller;
  let shown: ShownOnce | undefined;
  const rotate = (chain: MasterKeyChain) =>
    kms.store.transact({ kind: 'tenant', tenantId }, (unit) =>
      runOnce(op, { unit, chain, what: 'rotate-token' }, async () => {
        const { holder, record } = await lockBoth(unit, authority, caller, tokenId);
        if (record === undefined) throw new KmsError('NOT_FOUND', 'There is no token with this id.');
        requireReplaceable(authority, record, unit.now);
        if (!itself) {
          await requireOwnLineage(unit, authority, holder, record);
          requireWithin(holder, grantOf(record));
        }
        const made = successorOf(authority, record, unit.now);
        const overlapEnd = new Date(unit.now.getTime() + overlapSeconds * 1000);
        await unit.tokens.insert(made.record);
        const fields = withField(record.fields, TOKEN_OVERLAP_END, overlapEnd);
        await unit.tokens.retire(authority.sign({ ...record, fields }));
        await op.evidence?.changed(unit, tokenRotated(record, made.record, overlapEnd));
        ({ shown } = made);
        // Without the token: what is stored for a repeated call must not show it again.
        return describeToken(made.record);
      }),
    );
  try {
    const described = await kms.hierarchy.under(tenantId, rotate);
    if (shown === undefined) throw shownOnce(described);
    return { ...described, ...shown };
  } finally {
    kms.tokens.forget(tokenId);
  }
}

/** Locks the token that makes the call and the one that it is about: in the order of a cascade, so that neither waits for the other. */
async function lockBoth(
  unit: UnitOfWork,
  authority: TokenAuthority,
  caller: Caller,
  tokenId: string,
): Promise<{ readonly holder: Caller; readonly record: ApiTokenRecord | undefined }> {
  const own = caller.credential?.tokenId;
  if (own === undefined || own < tokenId) {
    const holder = await holdCredential(unit, authority, caller);
    return { holder, record: await unit.tokens.get(tokenId, { lock: true }) };
  }
  const record = await unit.tokens.get(tokenId, { lock: true });
  return { record, holder: own === tokenId ? caller : await holdCredential(unit, authority, caller) };
}

/** Throws unless a locked token can be replaced. */
function requireReplaceable(authority: TokenAuthority, record: ApiTokenRecord, now: Date): void {
  if (record.mac === null)
    throw new KmsError(
      'CONFLICT',
      'The token is from before records of tokens had a MAC, so nobody can tell what it may do. Create another one, and revoke this one.',
    );
  // Before anything of it is copied: somebody who can write to the database must not get a better token out of it.
  authority.verify(record, 'hash');
  if (hasEnded({ ...record, fields: NO_FIELDS }, now))
    throw new KmsError('CONFLICT', 'The token was revoked or has expired. Create another one.');
  if (fieldOf(record.fields, TOKEN_OVERLAP_END) !== undefined)
    throw new KmsError('CONFLICT', 'The token was rotated already. Rotate the one that replaced it.');
}

function successorOf(authority: TokenAuthority, record: ApiTokenRecord, now: Date): NewToken {
  const { hash: _hash, mac: _mac, ...kept } = record;
  return sealToken(authority, {
    ...kept,
    tokenId: newId(),
    createdAt: now,
    fields: withField(
      withField(record.fields, TOKEN_IDENTITY, identityOfToken(record)),
      TOKEN_REPLACES,
      record.tokenId,
    ),
  });
}

/** The evidence of a token that was replaced. */
function tokenRotated({ tokenId }: ApiTokenRecord, successor: ApiTokenRecord, overlapEnd: Date): RecordedChange {
  return {
    eventType: OPERATIONS.rotateToken.event,
    resource: { type: 'token', id: tokenId, version: null },
    before: { overlapEndsAt: null },
    after: { overlapEndsAt: overlapEnd.toISOString(), replacedBy: successor.tokenId },
  };
}
