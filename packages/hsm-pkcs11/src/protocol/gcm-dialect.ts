import { CKM } from './cryptoki.ts';
import type { GcmDialect } from './messages.ts';

/** How a token with these mechanisms does AES-GCM; null when it does not. */
export function gcmDialect(mechanisms: readonly number[]): GcmDialect | null {
  // A token that has both refuses nonces that are not its own in the standard mechanism.
  if (mechanisms.includes(CKM.cloudHsmAesGcm)) return 'hsm-nonce-first';
  return mechanisms.includes(CKM.aesGcm) ? 'our-nonce' : null;
}
