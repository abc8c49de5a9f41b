import type { ChangeRequest } from '../model/change-request.ts';
import type { Caller } from '../access/caller.ts';
import { authorize, isAllowed } from '../access/evaluate-policy.ts';
import type { Permission } from '../access/permissions.ts';
import { checkChange } from '../bounds/check-change.ts';
import { changedFacts, keyFacts } from '../evidence/key-facts.ts';
import { KmsError } from '../errors/kms-error.ts';
import type { MasterKeyChain } from '../hierarchy/master-key-chain.ts';
import { keyNotFound } from '../keyring/key-ring.ts';
import { type KeyEvent, next } from '../lifecycle/transitions.ts';
import { describeKey, type KeyDescription } from '../model/describe-key.ts';
import type { KeyId } from '../model/identifiers.ts';
import type { KeyRecord } from '../model/key.ts';
import type { UnitOfWork } from '../ports/store.ts';
import { KEY_EVENT_TYPES, OPERATIONS } from './catalog.ts';
import type { Kms } from './kms.ts';
import { runOnce } from './run-once.ts';

/** The fields of a record that a change sets; `state` and `revision` follow from the event. */
export type KeyChange = Partial<
  Omit<KeyRecord, 'tenantId' | 'keyId' | 'state' | 'revision' | 'createdAt' | 'updatedAt' | 'mac'>
>;

/** What some changes need beside their event. */
export interface ChangeOptions {
  /** What the answer says was done differently from what was asked. */
  readonly warnings?: readonly string[];
  /**
   * Whether the change has already been made, by anyone: by an earlier attempt of this call whose answer was lost, by
   * another caller, by another node or by scheduled work. Then the answer is the key as it is, and nothing is written.
   * May finish what else the call asks for.
   */
  readonly isDone?: (record: KeyRecord, context: Omit<ChangeContext, 'state'>) => boolean | Promise<boolean>;
}

export interface ChangeContext {
  readonly unit: UnitOfWork;
  readonly chain: MasterKeyChain;
  /** The state after the event. */
  readonly state: KeyRecord['state'];
}

/**
 * Changes a key as one event of its lifecycle: in one unit of work it locks and authenticates the record, authorises the
 * caller, asks the transition table, applies the change and writes the new revision. A change that is done already is
 * answered like the one that did it.
 *
 * @throws KmsError `NOT_FOUND`, `FORBIDDEN`, `KEY_STATE_INVALID`, or `CONFLICT` for another revision than the caller's.
 */
export async function changeKey(
  kms: Kms,
  caller: Caller,
  request: ChangeRequest,
  permission: Permission,
  event: KeyEvent,
  change: (record: KeyRecord, context: ChangeContext) => KeyChange | Promise<KeyChange>,
  { warnings = [], isDone = () => false }: ChangeOptions = {},
): Promise<KeyDescription> {
  checkChange(request);
  const chain = await kms.hierarchy.masterKeys(caller.tenantId);
  try {
    return await kms.store.transact({ kind: 'tenant', tenantId: caller.tenantId }, async (unit) => {
      const record = await lockKey(unit, chain, request.keyId);
      // Before the idempotency key: a caller who may no longer do this gets no stored answer either.
      authorize(caller, permission, record, kms.clock());
      return runOnce({ unit, chain, caller, operation: event }, request.idempotency, async () => {
        // Before the revision: it is another one since the change was made.
        if (await isDone(record, { unit, chain })) return describeKey(record, warnings);
        if (request.ifRevision !== undefined && request.ifRevision !== record.revision) {
          throw otherRevision(
            isAllowed(caller, OPERATIONS.getKey.permission, record, kms.clock()) ? record.revision : undefined,
          );
        }
        return describeKey(await applyEvent(kms, unit, chain, record, event, change, request.statedReason), warnings);
      });
    });
  } finally {
    // Even if it failed: the answer to a commit can be lost.
    kms.keyRing.forget(request.keyId);
  }
}

/** @param revision the one that the key has, for callers who may read it */
function otherRevision(revision: number | undefined): KmsError {
  const message = 'The key is not at the revision named in the call.';
  if (revision === undefined) return new KmsError('CONFLICT', message);
  return new KmsError('CONFLICT', `${message} It is at ${revision}: read it again.`, { details: { revision } });
}

/** Reads a key for change. Throws `NOT_FOUND`, or `INTERNAL_ERROR` when the record is not authentic. */
export async function lockKey(unit: UnitOfWork, chain: MasterKeyChain, keyId: KeyId): Promise<KeyRecord> {
  const record = await unit.keys.get(keyId, { lock: true });
  if (record === undefined) throw keyNotFound();
  chain.verifyRecord(record);
  return record;
}

/** Applies an event to a locked key and writes it. */
export async function applyEvent(
  kms: Pick<Kms, 'evidence'>,
  unit: UnitOfWork,
  chain: MasterKeyChain,
  record: KeyRecord,
  event: KeyEvent,
  change: (record: KeyRecord, context: ChangeContext) => KeyChange | Promise<KeyChange>,
  statedReason?: string,
): Promise<KeyRecord> {
  const state = next(record, event);
  const changed = await change(record, { unit, chain, state });
  const signed = chain.signRecord({ ...record, ...changed, state, revision: record.revision + 1, updatedAt: unit.now });
  await unit.keys.update(signed, record.revision);
  const { before, after } = changedFacts(keyFacts(record), keyFacts(signed));
  await kms.evidence?.changed(unit, {
    eventType: KEY_EVENT_TYPES[event],
    resource: { type: 'key', id: record.keyId, version: signed.currentVersion },
    before,
    after: statedReason === undefined ? after : { ...after, reason: statedReason },
  });
  return signed;
}
