import { authorize, isAllowed } from '../access/evaluate-policy.ts';
import type { Permission } from '../access/permissions.ts';
import { checkChange } from '../bounds/check-change.ts';
import { changedFacts, keyFacts } from '../evidence/key-facts.ts';
import { KmsError } from '../errors/kms-error.ts';
import type { MasterKeyChain } from '../hierarchy/master-key-chain.ts';
import type { EncodedVersions } from '../hierarchy/record-encoding.ts';
import { keyNotFound } from '../keyring/key-ring.ts';
import { type KeyEvent, next } from '../lifecycle/transitions.ts';
import type { ChangeRequest } from '../model/change-request.ts';
import type { KeyDescription } from '../model/describe-key.ts';
import type { KeyId } from '../model/identifiers.ts';
import type { KeyRecord } from '../model/key.ts';
import type { KeyChange } from '../model/key-change.ts';
import { fieldOf, KEY_REQUIRE_APPROVAL } from '../model/record-fields.ts';
import type { UnitOfWork } from '../ports/store.ts';
import { KEY_EVENT_TYPES, OPERATIONS } from './catalog.ts';
import type { Operation } from './operation.ts';
import { showKey } from './policy-violations.ts';
import { type Approvals, withApprovals } from './require-approval.ts';
import { runOnce } from './run-once.ts';

/** The permission that a change of a key takes, and what happens to the key. Entries of the catalogue that change a key fit this. */
export interface KindOfChange {
  readonly permission: Permission;
  readonly lifecycle: KeyEvent;
  /** The id of the operation, where it waits for approvals if somebody asks for some. */
  readonly approval?: string;
}

/** What a change is made in. */
export interface ChangeContext {
  readonly unit: UnitOfWork;
  readonly chain: MasterKeyChain;
}

/** A key that is locked until its unit of work ends, and is authentic. */
export interface LockedKey extends ChangeContext {
  readonly record: KeyRecord;
  /** Its versions as its MAC covers them, where they are known: what a change leaves as it is need not be encoded again. */
  readonly encoded?: EncodedVersions;
}

/** Says what becomes of a key. */
export type Change = (record: KeyRecord, context: ChangeContext) => KeyChange | Promise<KeyChange>;

/** What some changes need besides their event. */
export interface ChangeOptions {
  /** What the answer says was done differently from what was asked. */
  readonly warnings?: readonly string[];
  /**
   * Whether the change has already been made, by anyone: by an earlier attempt of this call whose answer was lost, by
   * another caller, by another node or by scheduled work. Then the answer is the key as it is, and nothing is written.
   * May finish what else the call asks for.
   */
  readonly isDone?: (record: KeyRecord, context: ChangeContext) => boolean | Promise<boolean>;
  /** The record that the change was planned by, authentic: if it is the stored one still, it is not read again. */
  readonly seen?: KeyRecord | undefined;
  /** Whether a change of a kind that may wait for approvals does so in this case; default: always. */
  readonly needsApproval?: (record: KeyRecord) => boolean;
}

/**
 * Changes a key as one event of its lifecycle: in one unit of work it locks and authenticates the record, authorises the
 * caller, asks the transition table, applies the change and writes the new revision. A change that is done already is
 * answered like the one that did it.
 *
 * @throws KmsError `NOT_FOUND`, `FORBIDDEN`, `KEY_STATE_INVALID`, or `CONFLICT` for another revision than the caller's.
 */
export async function changeKey(
  op: Operation,
  { permission, lifecycle, approval }: KindOfChange,
  request: ChangeRequest,
  change: Change,
  { warnings = [], isDone = () => false, seen, needsApproval = () => true }: ChangeOptions = {},
): Promise<KeyDescription> {
  const { kms, caller } = op;
  checkChange(request, op.idempotency);
  const { tenantId } = caller;
  const { keyId } = request;
  const changeLocked = async (unit: UnitOfWork, chain: MasterKeyChain, approvals: Approvals | undefined) => {
    const locked = await lockKey(unit, chain, keyId, seen);
    const { record } = locked;
    // Before the idempotency key: a caller who may no longer do this gets no stored answer either.
    authorize(caller, permission, record, kms.clock());
    tellReadable(op, record);
    return runOnce(op, { unit, chain, what: lifecycle }, async () => {
      // Before the revision is compared: the change that was already made has increased it.
      if (await isDone(record, locked)) return showKey(kms, record, warnings);
      requireRevision(op, record, request.ifRevision);
      const changed = await applyEvent(op, locked, lifecycle, change, request.statedReason);
      // After everything that can be wrong with it: nobody is asked to approve what would be refused.
      if (needsApproval(record)) await approvals?.spend(unit, fieldOf(record.fields, KEY_REQUIRE_APPROVAL) ?? 0);
      tellReadable(op, changed);
      return showKey(kms, changed, warnings);
    });
  };
  const changeUnder = (approvals?: Approvals) =>
    kms.hierarchy.under(tenantId, (chain) =>
      kms.store.transact({ kind: 'tenant', tenantId }, (unit) => changeLocked(unit, chain, approvals), { keyId, seen }),
    );
  try {
    if (approval === undefined) return await changeUnder();
    return await withApprovals(op, { operation: approval, tenantId, input: request }, changeUnder);
  } finally {
    // Even if it failed: the answer to a commit can be lost.
    kms.keyRing.forget(keyId);
  }
}

function tellReadable({ kms, caller, onReadable }: Operation, record: KeyRecord): void {
  onReadable?.(isAllowed(caller, OPERATIONS.getKey.permission, record, kms.clock()));
}

/** Throws `CONFLICT` when a key is at another revision than the caller saw last, and names that to who may read it. */
function requireRevision({ kms, caller }: Operation, record: KeyRecord, seen: number | undefined): void {
  const { revision } = record;
  if (seen === undefined || seen === revision) return;
  const message = 'The key is not at the revision named in the call.';
  if (!isAllowed(caller, OPERATIONS.getKey.permission, record, kms.clock())) throw new KmsError('CONFLICT', message);
  throw new KmsError('CONFLICT', `${message} It is at ${revision}: read it again.`, { details: { revision } });
}

/**
 * Reads a key for change. Throws `NOT_FOUND`, or `INTERNAL_ERROR` when the record is not authentic.
 *
 * @param seen an authentic record of the key, which is not read again if it is the stored one still
 */
export async function lockKey(
  unit: UnitOfWork,
  chain: MasterKeyChain,
  keyId: KeyId,
  seen?: KeyRecord,
): Promise<LockedKey> {
  const record = await unit.keys.get(keyId, { lock: true, seen });
  if (record === undefined) throw keyNotFound();
  const encoded: EncodedVersions = new Map();
  if (record !== seen) chain.verifyRecord(record, encoded);
  return { unit, chain, record, encoded };
}

/** Applies an event to a locked key and writes it. */
export async function applyEvent(
  { evidence }: Pick<Operation, 'evidence'>,
  locked: LockedKey,
  event: KeyEvent,
  change: Change,
  statedReason?: string,
): Promise<KeyRecord> {
  const { unit, chain, record, encoded } = locked;
  const state = next(record, event);
  const changed = await change(record, locked);
  const signed = chain.signRecord(
    { ...record, ...changed, state, revision: record.revision + 1, updatedAt: unit.now },
    encoded,
  );
  await unit.keys.update(signed, record.revision);
  if (evidence === undefined) return signed;
  const { before, after } = changedFacts(keyFacts(record), keyFacts(signed));
  await evidence.changed(unit, {
    eventType: KEY_EVENT_TYPES[event],
    resource: { type: 'key', id: record.keyId, version: signed.currentVersion },
    before,
    after: statedReason === undefined ? after : { ...after, reason: statedReason },
  });
  return signed;
}
