import {
  createApiToken,
  createImportParameters,
  createTenant,
  importKey,
  listApiTokens,
  listTenants,
  random,
  revokeApiToken,
  shredTenant,
} from '@qnsp/kms-core';
import { publicKeyPem } from './public-key-pem.ts';
import type { Handlers } from './handler.ts';
import { shownChange } from './shown-change.ts';

export const administrationHandlers = {
  createToken: ({ kms, caller, request, once }) => createApiToken(kms, caller, { ...request.body, ...once }),
  listTokens: ({ kms, caller, request }) => listApiTokens(kms, caller, request.query),
  revokeToken: async ({ kms, caller, request, once }) => {
    await revokeApiToken(kms, caller, { ...request.params, ...once });
    return { ...request.params, revoked: true };
  },
  createTenant: ({ kms, caller, request, once }) => createTenant(kms, caller, { ...request.body, ...once }),
  listTenants: ({ kms, caller }) => listTenants(kms, caller),
  shredTenant: ({ kms, caller, request, once }) =>
    shredTenant(kms, caller, { ...request.body, ...request.params, ...once }),
  getImportParameters: async ({ kms, caller, request }) => {
    const { wrappingAlgorithm = 'RSA_AES_KEY_WRAP_SHA_256' } = request.query;
    const result = await createImportParameters(kms, caller, { wrappingAlgorithm });
    return { ...result, publicKeyPem: publicKeyPem(result.publicKey) };
  },
  // A new key is what its maker made of it; of one that was there the caller may not know the rest.
  importKey: (call) => {
    const imported = importKey(call.kms, call.caller, { ...call.request.body, ...call.once });
    return call.request.body.keyId === undefined ? imported : shownChange(call, imported);
  },
  getRandom: async ({ kms, caller, request }) => {
    const { bytes = 32 } = request.query;
    return { random: await random(kms, caller, { bytes }), bytes };
  },
} satisfies Partial<Handlers>;
