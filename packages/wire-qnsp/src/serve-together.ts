import type { Call } from '@qnsp/http-edge';
import type { Batch, BatchItem, Route } from '@qnsp/kms-contract';
import type { Caller, KmsError } from '@qnsp/kms-core';
import type { MaybePromise } from '@qnsp/kms-core/ports';
import type { AnyTogether } from './handlers/handlers.ts';
import type { QnspTarget } from './qnsp-target.ts';
import { isOfTenant } from './tenant.ts';

/** So much is done without a look at the clock: little next to a turn, and enough that what is done once for all weighs nothing. */
const MOST_ITEMS = 32;
const MOST_BYTES = 32 * 1024;

/** An item that can be read. */
type ReadItem = Exclude<BatchItem<Route>, { readonly error: KmsError }>;

/** How a batch is served. */
export interface Service {
  /** What to wait for before more is done; nothing as long as the turn lasts. */
  readonly rest: () => Promise<void> | undefined;
  /** Throws once the credential is not valid any more. */
  readonly requireValid: (() => MaybePromise<void>) | undefined;
  /** Gets what became of an item: its answer, or why there is none. */
  readonly settle: (index: number, item: ReadItem, result: object) => void;
}

/**
 * Serves those items of a batch that can be done at once, many at a time.
 *
 * @returns the places of the others, which are to be done one by one
 */
export async function serveTogether(
  call: Call<QnspTarget>,
  together: AnyTogether,
  batch: Batch<Route>,
  { rest, requireValid, settle }: Service,
): Promise<readonly number[]> {
  const left: number[] = [];
  let next = 0;
  for (let isOfUse = true; isOfUse && next < batch.length; ) {
    for (let waiting = rest(); waiting !== undefined; waiting = rest()) await waiting;
    // Nobody waits for the rest of a batch whose client went away.
    if (call.incoming.socket.destroyed) return [];
    // Why not is then the answer of each item that is left.
    if (!(await isStillValid(requireValid))) break;
    // Not once for all items: what the credential may do can change while they are served.
    const { caller } = call;
    if (caller === undefined) break;
    const piece = readPiece(batch, next, together, caller);
    next = piece.next;
    const op = { kms: call.edge.kms, caller, client: call };
    const results = together.together(
      op,
      piece.items.map(({ item }) => item.body),
    );
    // Where nothing of a piece can be done at once, the rest is likely to be like it.
    isOfUse = false;
    left.push(...piece.left);
    for (const [at, { index, item }] of piece.items.entries()) {
      const result = results[at];
      if (result === undefined) left.push(index);
      else {
        settle(index, item, result);
        isOfUse = true;
      }
    }
  }
  for (; next < batch.length; next += 1) left.push(next);
  return left.sort((a, b) => a - b);
}

async function isStillValid(requireValid: Service['requireValid']): Promise<boolean> {
  try {
    await requireValid?.();
    return true;
  } catch {
    return false;
  }
}

interface Piece {
  readonly items: readonly { readonly index: number; readonly item: ReadItem }[];
  /** The places of those that fail before their work. */
  readonly left: readonly number[];
  /** The place after the piece. */
  readonly next: number;
}

/** Reads as many items, from a place on, as are done at once. */
export function readPiece(batch: Batch<Route>, from: number, { bytes }: AnyTogether, caller: Caller): Piece {
  const items: { readonly index: number; readonly item: ReadItem }[] = [];
  const left: number[] = [];
  let index = from;
  for (let size = 0; index < batch.length && index - from < MOST_ITEMS && size < MOST_BYTES; index += 1) {
    const item = batch.item(index);
    if ('error' in item || !isOfTenant(caller, item.body)) left.push(index);
    else {
      size += bytes(item.body);
      items.push({ index, item });
    }
  }
  return { items, left, next: index };
}
