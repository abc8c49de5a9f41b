import type { SignatureOptions } from '@qnsp/kms-core';
import {
  createDataKey,
  decapsulate,
  decrypt,
  decryptTogether,
  derive,
  encapsulate,
  encrypt,
  encryptTogether,
  mac,
  reencrypt,
  sign,
  unwrap,
  verify,
  verifyMac,
  wrap,
} from '@qnsp/kms-core/internal';
import type { Handlers, TogetherHandlers } from './handler.ts';

export const cryptoHandlers = {
  encrypt: ({ op, request }) => encrypt(op, request.body),
  decrypt: ({ op, request }) => decrypt(op, request.body),
  reencrypt: ({ op, request }) => reencrypt(op, request.body),
  sign: ({ op, request }) => sign(op, { ...request.body, options: signatureOptions(request.body) }),
  verify: ({ op, request }) => verify(op, { ...request.body, options: signatureOptions(request.body) }),
  wrap: ({ op, request }) => wrap(op, request.body),
  unwrap: ({ op, request }) => unwrap(op, request.body),
  createDataKey: ({ op, request }) => createDataKey(op, request.body),
  mac: ({ op, request }) => mac(op, request.body),
  verifyMac: ({ op, request }) => verifyMac(op, request.body),
  encapsulate: ({ op, request }) => encapsulate(op, request.body),
  decapsulate: ({ op, request }) => decapsulate(op, request.body),
  derive: ({ op, request }) => derive(op, request.body),
} satisfies Partial<Handlers>;

/** What costs less for several items of a batch than for one by one. */
export const togetherHandlers = {
  encrypt: {
    together: (op, bodies) => encryptTogether(op, bodies),
    bytes: ({ plaintext }) => plaintext.length,
  },
  decrypt: {
    together: (op, bodies) => decryptTogether(op, bodies),
    bytes: ({ ciphertext }) => ciphertext.length,
  },
} satisfies TogetherHandlers;

function signatureOptions({ context, format, scheme, messageType, hash }: SignatureOptions): SignatureOptions {
  return {
    ...(context === undefined ? {} : { context }),
    ...(format === undefined ? {} : { format }),
    ...(scheme === undefined ? {} : { scheme }),
    ...(messageType === undefined ? {} : { messageType }),
    ...(hash === undefined ? {} : { hash }),
  };
}
