import { createKey, getKey, getPublicKey, keyStatistics, listKeys, rotationSchedules, updateKey } from '@qnsp/kms-core';
import { publicKeyPem } from './public-key-pem.ts';
import { changeOf } from './change-of.ts';
import type { Handlers } from './handler.ts';
import { shownChange } from './shown-change.ts';

export const keyHandlers = {
  createKey: ({ kms, caller, request, once }) => createKey(kms, caller, { ...request.body, ...once }),

  listKeys: ({ kms, caller, request }) => {
    const { algorithm, ...query } = request.query;
    return listKeys(kms, caller, { ...query, ...(algorithm === undefined ? {} : { algorithm: algorithm.id }) });
  },

  getKeyStats: ({ kms, caller }) => keyStatistics(kms, caller),

  getKey: ({ kms, caller, request }) => getKey(kms, caller, request.params),

  updateKey: (call) => shownChange(call, updateKey(call.kms, call.caller, { ...call.request.body, ...changeOf(call) })),

  getPublicKey: async ({ kms, caller, request }) => {
    const { version } = request.query;
    const result = await getPublicKey(kms, caller, {
      ...request.params,
      ...(version === undefined ? {} : { keyVersion: version }),
    });
    return { ...result, publicKeyPem: publicKeyPem(result.publicKey) };
  },

  listRotationSchedules: ({ kms, caller, request }) => rotationSchedules(kms, caller, request.query),

  listUpcomingRotations: ({ kms, caller, request }) => rotationSchedules(kms, caller, request.query),
} satisfies Partial<Handlers>;
