import type { OwnLink } from '../connection/hsm-link.ts';
import type { KeyRef } from '../protocol/messages.ts';
import type { OaepSupport } from './oaep-support.ts';

/** A private key in an HSM. */
export interface HsmPrivateKey {
  readonly hsmId: string;
  readonly link: OwnLink;
  readonly ref: KeyRef;
  readonly oaep: OaepSupport;
}
