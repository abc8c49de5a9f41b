import {
  createDataKey,
  decapsulate,
  decryptNow,
  derive,
  encapsulate,
  encryptNow,
  macNow,
  reencrypt,
  signNow,
  type SignatureOptions,
  unwrapNow,
  verify,
  verifyMac,
  wrapNow,
} from '@qnsp/kms-core';
import type { Handlers } from './handler.ts';

export const cryptoHandlers = {
  encrypt: ({ kms, caller, request }) => encryptNow(kms, caller, request.body),
  decrypt: ({ kms, caller, request }) => decryptNow(kms, caller, request.body),
  reencrypt: ({ kms, caller, request }) => reencrypt(kms, caller, request.body),
  sign: ({ kms, caller, request }) =>
    signNow(kms, caller, { ...request.body, options: signatureOptions(request.body) }),
  verify: ({ kms, caller, request }) =>
    verify(kms, caller, { ...request.body, options: signatureOptions(request.body) }),
  wrap: ({ kms, caller, request }) => wrapNow(kms, caller, request.body),
  unwrap: ({ kms, caller, request }) => unwrapNow(kms, caller, request.body),
  createDataKey: ({ kms, caller, request }) => createDataKey(kms, caller, request.body),
  mac: ({ kms, caller, request }) => macNow(kms, caller, request.body),
  verifyMac: ({ kms, caller, request }) => verifyMac(kms, caller, request.body),
  encapsulate: ({ kms, caller, request }) => encapsulate(kms, caller, request.body),
  decapsulate: ({ kms, caller, request }) => decapsulate(kms, caller, request.body),
  derive: ({ kms, caller, request }) => derive(kms, caller, request.body),
} satisfies Partial<Handlers>;

function signatureOptions({ context, format, scheme }: SignatureOptions): SignatureOptions {
  return {
    ...(context === undefined ? {} : { context }),
    ...(format === undefined ? {} : { format }),
    ...(scheme === undefined ? {} : { scheme }),
  };
}
