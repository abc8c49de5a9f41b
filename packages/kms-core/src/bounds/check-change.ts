import { badRequest } from '../errors/kms-error.ts';
import type { ChangeRequest, IdempotencyRequest } from '../model/change-request.ts';
import { BOUNDS } from './bounds.ts';
import { checkBytes, checkId, checkInteger, checkLine } from './check-values.ts';

/** What every change of a key may carry. */
export function checkChange(
  { keyId, ifRevision, statedReason }: ChangeRequest,
  idempotency: IdempotencyRequest | undefined,
): void {
  checkId('keyId', keyId);
  if (ifRevision !== undefined) checkInteger('ifRevision', ifRevision, 1, Number.MAX_SAFE_INTEGER);
  if (statedReason !== undefined) checkLine('statedReason', statedReason, BOUNDS.reasonCharacters);
  checkIdempotency(idempotency);
}

/** The idempotency of a mutating call. */
export function checkIdempotency(idempotency: IdempotencyRequest | undefined): void {
  if (idempotency === undefined) return;
  const { key, fingerprint, atMost } = idempotency;
  const maximum = BOUNDS.idempotencyKeyCharacters;
  if (typeof key !== 'string' || key.length === 0 || key.length > maximum || key.includes('\0') || !key.isWellFormed())
    throw badRequest('idempotency.key', `must be text of 1 to ${maximum} characters`);
  const { fingerprintBytes } = BOUNDS;
  checkBytes('idempotency.fingerprint', fingerprint, fingerprintBytes.maximum, fingerprintBytes.minimum);
  if (atMost !== undefined) checkInteger('idempotency.atMost', atMost, 1, BOUNDS.quota.maximum);
}
