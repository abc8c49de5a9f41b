import {
  createApiToken,
  createImportParameters,
  createIdentityBinding,
  createTenant,
  getApiToken,
  getOwnApiToken,
  deleteIdentityBinding,
  denyIdentity,
  getIdentityBinding,
  importKey,
  liftIdentityDenial,
  listApiTokens,
  listIdentityBindings,
  getTenant,
  listIdentityDenials,
  listTenants,
  random,
  revokeApiToken,
  rotateApiToken,
  rotateMasterKey,
  shredTenant,
  tenantUsage,
  updateTenant,
} from '@qnsp/kms-core/internal';
import { publicKeyPem } from './public-key-pem.ts';
import type { Handlers } from './handler.ts';
import { shownChange } from './shown-change.ts';

export const administrationHandlers = {
  createToken: ({ op, request }) => createApiToken(op, request.body),
  listTokens: ({ op, request }) => listApiTokens(op, request.query),
  getToken: ({ op, request }) => getApiToken(op, request.params),
  getOwnToken: ({ op }) => getOwnApiToken(op),
  rotateToken: ({ op, request }) => rotateApiToken(op, { ...request.body, ...request.params }),
  revokeToken: async ({ op, request }) => {
    const { revoked, ...rest } = await revokeApiToken(op, { ...request.body, ...request.params });
    return { ...request.params, revoked: true, revokedTokens: revoked, ...rest };
  },
  createIdentityBinding: ({ op, request }) => createIdentityBinding(op, request.body),
  listIdentityBindings: ({ op, request }) => listIdentityBindings(op, request.query),
  getIdentityBinding: ({ op, request }) => getIdentityBinding(op, request.params),
  deleteIdentityBinding: async ({ op, request }) => {
    await deleteIdentityBinding(op, request.params);
    return { ...request.params, deleted: true };
  },
  denyIdentity: ({ op, request }) => denyIdentity(op, request.body),
  listIdentityDenials: ({ op, request }) => listIdentityDenials(op, request.query),
  liftIdentityDenial: ({ op, request }) => liftIdentityDenial(op, request.params),
  createTenant: ({ op, request }) => createTenant(op, request.body),
  listTenants: ({ op, request }) => listTenants(op, request.query),
  getTenant: ({ op, request }) => getTenant(op, request.params),
  rotateMasterKey: ({ op, request }) => rotateMasterKey(op, request.params),
  updateTenant: ({ op, request }) => updateTenant(op, { ...request.body, ...request.params }),
  getTenantUsage: ({ op, request }) => tenantUsage(op, request.params),
  shredTenant: ({ op, request }) => shredTenant(op, { ...request.body, ...request.params }),
  getImportParameters: async ({ op, request }) => {
    const { wrappingAlgorithm = 'RSA_AES_KEY_WRAP_SHA_256' } = request.query;
    const result = await createImportParameters(op, { wrappingAlgorithm });
    return { ...result, publicKeyPem: publicKeyPem(result.publicKey) };
  },
  // A new key is what its maker made of it; of one that was there the caller may not know the rest.
  importKey: ({ op, request }) => {
    const { body } = request;
    return body.keyId === undefined ? importKey(op, body) : shownChange(op, (told) => importKey(told, body));
  },
  getRandom: async ({ op, request }) => {
    const { bytes = 32 } = request.query;
    return { random: await random(op, { bytes }), bytes };
  },
} satisfies Partial<Handlers>;
