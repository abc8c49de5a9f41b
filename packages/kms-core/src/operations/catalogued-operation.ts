import type { Permission } from '../access/permissions.ts';
import type { CryptoOperation } from '../algorithms/crypto-operation.ts';
import type { KeyEvent } from '../lifecycle/transitions.ts';
import type { AuditEventType } from '../model/audit-event.ts';

/**
 * What an operation costs the service, for limits of rates, besides what its work with key material does (`algorithms/costs.ts`): each
 * class is dearer than the one before by an order of magnitude.
 *
 * - `memory`: a token and a key that are mostly held in memory; the store is asked now and then.
 * - `read`: reads the store, and answers a bounded page at most.
 * - `write`: a unit of work that writes.
 * - `slow`: may take seconds: works through everything that a tenant has, or makes key material that is kept nowhere.
 */
export const COST_CLASSES = ['memory', 'read', 'write', 'slow'] as const;
export type CostClass = (typeof COST_CLASSES)[number];

/** What is known of an operation before it runs, by whichever wire it was called. */
export interface CataloguedOperation {
  /** What the caller must hold; `null` where nobody has to, or nobody calls. */
  readonly permission: Permission | null;
  /** The type of the event that it leaves; `null` where it leaves none, or only those of the changes that it makes. */
  readonly event: AuditEventType | null;
  /** What it is about. */
  readonly uses: 'key' | 'tenant' | 'token' | 'identity' | 'approval' | 'service';
  readonly cost: CostClass;
  /** Whether it changes anything that lasts, its evidence and the count of its uses aside. */
  readonly changes: boolean;
  /** How it uses key material, where it does. */
  readonly crypto?: CryptoOperation;
  /** What happens to the key, where it changes one that is there. */
  readonly lifecycle?: KeyEvent;
  /**
   * Its own id, where it waits for approvals if its key, its tenant or the deployment asks for some. A change of a key needs no more than
   * this; other operations spend the approvals in their unit of work (`require-approval.ts`).
   */
  readonly approval?: string;
}
