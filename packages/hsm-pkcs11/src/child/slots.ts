import type { TokenInfo } from 'pkcs11js';
import { CKF, CKR } from '../protocol/cryptoki.ts';
import type { TokenIdentity } from '../protocol/messages.ts';
import { type Cryptoki, FaultError, type Handle, isCkr } from './driver.ts';
import { ulong } from './objects.ts';

export interface Slot {
  readonly handle: Handle;
  readonly id: number;
  readonly token: TokenIdentity;
}

export interface SlotChoice {
  readonly slot: number | null;
  readonly tokenLabel: string | null;
  readonly expected: TokenIdentity | null;
  readonly taken: readonly TokenIdentity[];
}

/** Every slot that holds an initialised token. */
export function initialisedSlots(cryptoki: Cryptoki): Slot[] {
  return cryptoki.C_GetSlotList(true).flatMap((handle) => {
    const info = tokenInfo(cryptoki, handle);
    if (info === null || (info.flags & CKF.tokenInitialized) === 0) return [];
    const token = {
      manufacturer: unpadded(info.manufacturerID),
      model: unpadded(info.model),
      serial: unpadded(info.serialNumber),
      label: unpadded(info.label),
    };
    return [{ handle, id: ulong(handle) ?? 0, token }];
  });
}

/** Tokens pad their names: with blanks, as PKCS #11 says, or with zeros. */
function unpadded(text: string): string {
  return text.replaceAll('\0', ' ').trim();
}

/** Null if the token was removed since the slots were listed, or cannot be read: the others are still good. */
function tokenInfo(cryptoki: Cryptoki, slot: Handle): TokenInfo | null {
  try {
    return cryptoki.C_GetTokenInfo(slot);
  } catch (error) {
    if (isCkr(error, CKR.tokenNotPresent, CKR.tokenNotRecognized, CKR.deviceRemoved)) return null;
    throw error;
  }
}

/**
 * The slot that is meant: the token seen before; else by slot id; else by index, because SoftHSM gives a token another
 * slot id than the one asked for, and the free one where the index leads to a token that is taken; else by a token label of digits; and by token label, alone or in addition.
 *
 * @throws FaultError `slot`, listing what there is.
 */
export function chooseSlot(slots: readonly Slot[], choice: SlotChoice): Slot {
  const candidates = candidatesFor(slots, choice);
  const [chosen] = candidates;
  if (chosen !== undefined && candidates.length === 1) return chosen;
  const wanted = [
    ...(choice.slot === null ? [] : [`slot ${choice.slot}`]),
    ...(choice.tokenLabel === null ? [] : [`token label "${choice.tokenLabel}"`]),
  ];
  const wish = wanted.length === 0 ? 'a token (none is named)' : wanted.join(' and ');
  const problem = chosen === undefined ? `No initialised token matches ${wish}` : `More than one token matches ${wish}`;
  const there = slots.map(({ id, token }, index) => `index ${index}: slot ${id}, label "${token.label}"`).join('; ');
  throw new FaultError({ type: 'slot', message: `${problem}. Initialised tokens: ${there === '' ? 'none' : there}.` });
}

function candidatesFor(slots: readonly Slot[], { slot, tokenLabel, expected, taken }: SlotChoice): readonly Slot[] {
  if (expected !== null) return slots.filter(({ token }) => sameToken(token, expected));
  const labelled = slots.filter(({ token }) => tokenLabel === null || token.label === unpadded(tokenLabel));
  if (slot === null) return labelled;
  const numbered = labelled.filter(({ id }) => id === slot);
  if (numbered.length > 0) return numbered;
  const indexed = slots[slot];
  const isFree = ({ token }: Slot) => !taken.some((other) => sameToken(token, other));
  if (indexed !== undefined && !isFree(indexed)) return labelled.filter(isFree);
  if (indexed !== undefined) return labelled.includes(indexed) ? [indexed] : [];
  return tokenLabel === null ? slots.filter(({ token }) => token.label === String(slot)) : [];
}

function sameToken(a: TokenIdentity, b: TokenIdentity): boolean {
  return a.manufacturer === b.manufacturer && a.model === b.model && a.serial === b.serial && a.label === b.label;
}
