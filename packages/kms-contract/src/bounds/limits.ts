import { BOUNDS } from '@qnsp/kms-core';

const KIB = 1024;
const MIB = 1024 * KIB;

/**
 * Every bound of the contract: those of the core, and what only an interface over HTTP has. Bytes are counted after base64 is
 * decoded, characters in UTF-16 code units.
 */
export const LIMITS = {
  ...BOUNDS,
  bodyBytes: MIB,
  /** The body of a route that takes `{items: […]}`. */
  batchBodyBytes: 8 * MIB,
  batchItems: 1000,
  exportBatches: BOUNDS.exportedBatches,
  pendingWindowDays: BOUNDS.pendingDays,
  destroyGuardDays: BOUNDS.destroyGuardDays,
  requireApproval: BOUNDS.requireApproval,
  /** The contract's own bounds; a deployment's lower bound is a setting, by default an hour. */
  rotationSeconds: { ...BOUNDS.rotationSeconds, defaultMinimum: 60 * 60 },
} as const;

/** The largest body in bytes that a route reads. */
export function bodyLimit(route: { readonly crypto?: unknown }): number {
  return route.crypto === undefined ? LIMITS.bodyBytes : LIMITS.batchBodyBytes;
}
