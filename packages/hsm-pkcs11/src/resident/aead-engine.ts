import { randomBytes } from 'node:crypto';
import type { KeyEngine } from '@qnsp/kms-core/engines';
import { decryptFailed, HEADER_BYTES } from '@qnsp/kms-core/internal';
import type { OwnLink } from '../connection/hsm-link.ts';
import type { KeyRef } from '../protocol/messages.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Suite 2 in an HSM: `header ‖ nonce(12) ‖ ciphertext ‖ tag(16)`, AES-GCM with the AAD `header ‖ context`. What the HSM
 * encrypted is opened in it again before it is released.
 */
export function hsmAeadEngine(link: OwnLink, ref: KeyRef): Required<Pick<KeyEngine, 'seal' | 'open'>> {
  return {
    seal: async (header, context, plaintext) => {
      const nonce = randomBytes(NONCE_BYTES);
      const aad = Buffer.concat([header, context]);
      return Buffer.concat([header, await link.call({ op: 'seal', ref, nonce, aad, plaintext })]);
    },
    open: async (ciphertext, context) => {
      const sealed = ciphertext.subarray(HEADER_BYTES);
      if (sealed.length < NONCE_BYTES + TAG_BYTES) throw decryptFailed();
      const aad = Buffer.concat([ciphertext.subarray(0, HEADER_BYTES), context]);
      return await link.call({ op: 'open', ref, sealed, aad });
    },
  };
}
