import { isAllowed } from '../access/evaluate-policy.ts';
import { KmsError } from '../errors/kms-error.ts';
import { NewerMasterKey } from '../errors/newer-master-key.ts';
import type { MasterKeyChain } from '../hierarchy/master-key-chain.ts';
import type { KeyId } from '../model/identifiers.ts';
import type { KeyRecord, RevocationReason } from '../model/key.ts';
import type { UnitOfWork } from '../ports/store.ts';
import { OPERATIONS } from './catalog.ts';
import { faultOf, reportForged } from './authentic-records.ts';
import { applyEvent, type ChangeContext } from './change-key.ts';
import type { Kms } from './kms.ts';
import type { Operation } from './operation.ts';

/** How many keys one unit of work revokes: it holds their records until it ends. */
const KEYS_PER_UNIT = 50;
/** How many keys that are left are named. */
const NAMED_AT_MOST = 20;

/** Keys that were not revoked. */
interface Left {
  readonly denied: KeyId[];
  /** Denied, and the caller may not read them either. */
  hidden: number;
  /** Not authentic, or of a newer release. */
  readonly refused: { readonly keyId: KeyId; readonly fault: string }[];
}

/**
 * Revokes the keys below a key, level by level, in units of work of a bounded size.
 *
 * @returns what the caller should know of the keys that are left
 */
export async function revokeBelow(op: Operation, top: KeyId, reason: RevocationReason): Promise<readonly string[]> {
  const { kms, caller } = op;
  const scope = { kind: 'tenant', tenantId: caller.tenantId } as const;
  const left: Left = { denied: [], hidden: 0, refused: [] };
  const seen = new Set<KeyId>([top]);
  let parents: readonly KeyId[] = [top];
  while (parents.length > 0) {
    const level: KeyId[] = [];
    for (const some of inParts(parents)) {
      const children = await kms.store.transact(scope, (unit) => childrenOf(unit, some));
      for (const keyId of children) if (!seen.has(keyId)) level.push(keyId);
      for (const keyId of children) seen.add(keyId);
    }
    // In one order, so that two cascades do not wait for each other.
    level.sort();
    for (const some of inParts(level)) {
      try {
        const { denied, hidden, refused } = await kms.hierarchy.under(caller.tenantId, (chain, isNewest) =>
          kms.store.transact(scope, (unit) => revokeSome(op, { unit, chain }, some, reason, isNewest)),
        );
        left.denied.push(...denied);
        left.hidden += hidden;
        left.refused.push(...refused);
      } finally {
        for (const keyId of some) kms.keyRing.forget(keyId);
      }
    }
    parents = level;
  }
  return warningsOf(left);
}

function inParts(keyIds: readonly KeyId[]): readonly (readonly KeyId[])[] {
  const count = Math.ceil(keyIds.length / KEYS_PER_UNIT);
  return Array.from({ length: count }, (_, part) => keyIds.slice(part * KEYS_PER_UNIT, (part + 1) * KEYS_PER_UNIT));
}

async function childrenOf(unit: UnitOfWork, parents: readonly KeyId[]): Promise<readonly KeyId[]> {
  const children: KeyId[] = [];
  for (const keyId of parents) children.push(...(await unit.keys.children(keyId)));
  return children;
}

async function revokeSome(
  op: Operation,
  { unit, chain }: ChangeContext,
  keyIds: readonly KeyId[],
  reason: RevocationReason,
  isNewest: boolean,
): Promise<Left> {
  const { kms, caller } = op;
  const left: Left = { denied: [], hidden: 0, refused: [] };
  for (const keyId of keyIds) {
    const record = await unit.keys.get(keyId, { lock: true });
    if (record === undefined || record.state === 'destroyed') continue;
    const fault = faultIn(kms, chain, record, isNewest);
    if (fault !== undefined) left.refused.push({ keyId, fault });
    else if (record.state === 'revoked') continue;
    else if (isAllowed(caller, OPERATIONS.revokeKey.permission, record, kms.clock()))
      await applyEvent(op, { unit, chain, record }, 'revoke', () => ({ revocation: { reason, at: unit.now } }));
    else if (isAllowed(caller, OPERATIONS.getKey.permission, record, kms.clock())) left.denied.push(keyId);
    else left.hidden += 1;
  }
  return left;
}

/** What is wrong with a record, if anything: one that somebody changed in the database is not made authentic by being revoked. */
function faultIn(kms: Kms, chain: MasterKeyChain, record: KeyRecord, isNewest: boolean): string | undefined {
  try {
    chain.verifyRecord(record);
    return undefined;
  } catch (error) {
    if (!KmsError.is(error) || error.code !== 'INTERNAL_ERROR') throw error;
    if (NewerMasterKey.is(error) && !isNewest) throw error;
    const fault = faultOf(error);
    reportForged(kms, `The stored record of the key ${record.keyId} ${fault}.`, error);
    return fault;
  }
}

function warningsOf({ denied, hidden, refused }: Left): readonly string[] {
  return [
    ...named(denied, (keyId) => `The key ${keyId} below it was not revoked: its policy denies kms:keys:delete.`),
    ...named(refused, ({ keyId, fault }) => `The key ${keyId} below it was not revoked: its stored record ${fault}.`),
    ...(hidden === 0
      ? []
      : [`${hidden} keys below it that you may not read were not revoked: their policies deny it.`]),
  ];
}

function named<Item>(left: readonly Item[], sentence: (item: Item) => string): readonly string[] {
  const rest = left.length - NAMED_AT_MOST;
  return [
    ...left.slice(0, NAMED_AT_MOST).map(sentence),
    ...(rest > 0 ? [`${rest} more keys below it were not revoked for the same reason.`] : []),
  ];
}
