import {
  createDataKey,
  decapsulate,
  decrypt,
  derive,
  encapsulate,
  encrypt,
  mac,
  reencrypt,
  sign,
  type SignatureOptions,
  unwrap,
  verify,
  verifyMac,
  wrap,
} from '@qnsp/kms-core';
import type { Handlers } from './handler.ts';

export const cryptoHandlers = {
  encrypt: ({ kms, caller, request }) => encrypt(kms, caller, request.body),
  decrypt: ({ kms, caller, request }) => decrypt(kms, caller, request.body),
  reencrypt: ({ kms, caller, request }) => reencrypt(kms, caller, request.body),
  sign: ({ kms, caller, request }) => sign(kms, caller, { ...request.body, options: signatureOptions(request.body) }),
  verify: ({ kms, caller, request }) =>
    verify(kms, caller, { ...request.body, options: signatureOptions(request.body) }),
  wrap: ({ kms, caller, request }) => wrap(kms, caller, request.body),
  unwrap: ({ kms, caller, request }) => unwrap(kms, caller, request.body),
  createDataKey: ({ kms, caller, request }) => createDataKey(kms, caller, request.body),
  mac: ({ kms, caller, request }) => mac(kms, caller, request.body),
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
