import type { KeyRecord } from '../model/key.ts';
import { repeat, type Repeated } from '../scheduling/repeated.ts';
import type { Kms } from '../operations/kms.ts';
import { operationOfService } from '../operations/operation.ts';
import { removeExpiredTokens } from '../operations/remove-expired-tokens.ts';
import { runDueWork } from '../operations/run-due-work.ts';

/** What became of scheduled work. */
export type WorkReport =
  | { readonly kind: 'done'; readonly rotated: number; readonly destroyed: number }
  /** The turn of one key failed; it comes up again at the next turn. */
  | { readonly kind: 'key-failed'; readonly key: Pick<KeyRecord, 'tenantId' | 'keyId'>; readonly error: unknown }
  | { readonly kind: 'tokens-removed'; readonly removed: number }
  /** Expired tokens whose records are not authentic, which are kept. Said when their number grows. */
  | { readonly kind: 'tokens-kept'; readonly kept: number }
  /** The turn ended early; what is due stays due. */
  | { readonly kind: 'failed'; readonly error: unknown };

/** When scheduled work is done, and who hears of it. */
export interface Schedule {
  /** The pause between two turns in milliseconds; default: 10,000. */
  readonly intervalMs?: number;
  /** How long tokens are kept after they expired, in seconds; default: forever. */
  readonly tokenRetentionSeconds?: number | undefined;
  /** Hears what was done and what failed. Must not throw. */
  readonly report: (report: WorkReport) => void;
  /** Asked before each turn: a turn that may not work is skipped. Default: every turn works. */
  readonly mayWork?: () => Promise<boolean>;
  /** Done in each turn, after what schedules ask for. */
  readonly also?: () => Promise<void>;
}

const INTERVAL_MS = 10_000;

/** Runs what schedules ask for again and again: rotations, destructions, the removal of expired tokens. */
export function startScheduledWork(
  kms: Kms,
  { intervalMs = INTERVAL_MS, tokenRetentionSeconds, report, mayWork, also }: Schedule,
): Repeated {
  let keptTokens = 0;
  const removeTokens = async (stopping: AbortSignal) => {
    if (tokenRetentionSeconds === undefined || stopping.aborted) return;
    const service = operationOfService(kms, 'removeExpiredTokens');
    const { removed, kept } = await removeExpiredTokens(service, { seconds: tokenRetentionSeconds }, stopping);
    if (removed > 0) report({ kind: 'tokens-removed', removed });
    // Said once, not in each turn.
    if (kept > keptTokens) report({ kind: 'tokens-kept', kept });
    keptTokens = kept;
  };
  const work = async (stopping: AbortSignal) => {
    await kms.counter.flush(kms.store);
    await kms.tokens.uses.flush(kms.store);
    const { rotated, destroyed, failed } = await runDueWork(operationOfService(kms, 'runDueWork'), stopping);
    if (rotated + destroyed > 0) report({ kind: 'done', rotated, destroyed });
    for (const { key, error } of failed) report({ kind: 'key-failed', key, error });
    try {
      await also?.();
    } finally {
      await removeTokens(stopping);
    }
  };
  return repeat(intervalMs, async (stopping) => {
    try {
      if ((await mayWork?.()) ?? true) await work(stopping);
    } catch (error) {
      // The next turn tries again: what is due stays due in the store.
      report({ kind: 'failed', error });
    }
  });
}
