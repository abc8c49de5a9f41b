import { randomBytes } from 'node:crypto';
import { type Hsm, mixRandom } from '@qnsp/hsm-pkcs11';
import type { AlertSink } from '@qnsp/kms-core';

/** Random bytes from the operating system, mixed with those of the first HSM that gives any. */
export function mixedRandom(
  hsms: readonly Hsm[],
  alert: AlertSink,
): { readonly random: (bytes: number) => Promise<Uint8Array> | Uint8Array; isMissing(): boolean } {
  if (hsms.length === 0) return { random: randomBytes, isMissing: () => false };
  let missing = false;
  const note = (now: boolean, cause?: unknown) => {
    if (missing === now) return;
    missing = now;
    alert(
      now
        ? {
            kind: 'hardware-random-failed',
            message: 'No HSM provides sound random bytes; using only those of the operating system.',
            cause,
          }
        : { kind: 'hardware-random-back', message: 'Random bytes from an HSM are mixed in again.' },
    );
  };
  let failures = 0;
  const mixed = mixRandom((bytes) => fromAny(hsms, bytes), {
    onMissing: (reason) => {
      failures += 1;
      note(true, reason);
    },
  });
  return {
    isMissing: () => missing,
    random: async (bytes) => {
      const before = failures;
      const random = await mixed(bytes);
      if (failures === before) note(false);
      return random;
    },
  };
}

async function fromAny(hsms: readonly Hsm[], bytes: number): Promise<Uint8Array> {
  let failure: unknown;
  for (const hsm of hsms) {
    try {
      return await hsm.random(bytes);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}
