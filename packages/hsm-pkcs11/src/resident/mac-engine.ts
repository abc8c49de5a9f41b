import { timingSafeEqual } from 'node:crypto';
import type { KeyEngine } from '@qnsp/kms-core/engines';
import type { OwnLink } from '../connection/hsm-link.ts';
import { hsmUnavailable } from '../connection/hsm-errors.ts';
import type { KeyRef } from '../protocol/messages.ts';

const MAX_TAG_BYTES = 64;

/** HMAC in an HSM, computed twice and compared, because nothing else tells a wrong tag from a right one. */
export function hsmMacEngine(
  hsmId: string,
  link: OwnLink,
  ref: KeyRef,
  mechanism: number,
): Required<Pick<KeyEngine, 'mac' | 'verifyMac'>> {
  const once = (data: Uint8Array): Promise<Uint8Array> =>
    link.call({ op: 'sign', ref, mechanism, parameters: null, data, maxBytes: MAX_TAG_BYTES });
  const mac = async (data: Uint8Array): Promise<Uint8Array> => {
    // One after the other: both at once would need two sessions, and there may be one.
    const tag = await once(data);
    const again = await once(data);
    if (tag.length !== again.length || !timingSafeEqual(tag, again))
      throw hsmUnavailable(hsmId, 'it returned two different tags for the same data', 1000);
    return tag;
  };
  return {
    mac,
    verifyMac: async (data, tag) => {
      const expected = await mac(data);
      return tag.length === expected.length && timingSafeEqual(tag, expected);
    },
  };
}
