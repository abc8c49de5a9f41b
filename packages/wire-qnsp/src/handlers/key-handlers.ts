import {
  cancelMigration,
  createKey,
  createMigration,
  getKey,
  getKeyUsage,
  getMigration,
  getPublicKey,
  keyStatistics,
  listKeys,
  listMigrations,
  rotationSchedules,
  updateKey,
} from '@qnsp/kms-core/internal';
import { publicKeyPem } from './public-key-pem.ts';
import { changeRequest } from './change-request.ts';
import type { Handlers } from './handler.ts';
import { shownChange } from './shown-change.ts';

export const keyHandlers = {
  createKey: ({ op, request }) => createKey(op, request.body),

  listKeys: ({ op, request }) => {
    const { algorithm, ...query } = request.query;
    return listKeys(op, { ...query, ...(algorithm === undefined ? {} : { algorithm: algorithm.id }) });
  },

  getKeyStats: ({ op }) => keyStatistics(op),

  getKey: ({ op, request }) => getKey(op, request.params),

  getKeyUsage: ({ op, request }) => {
    const { days } = request.query;
    return getKeyUsage(op, { ...request.params, ...(days === undefined ? {} : { days }) });
  },

  updateKey: ({ op, request }) =>
    shownChange(op, (told) => updateKey(told, { ...request.body, ...changeRequest(request) })),

  getPublicKey: async ({ op, request }) => {
    const { version } = request.query;
    const result = await getPublicKey(op, {
      ...request.params,
      ...(version === undefined ? {} : { keyVersion: version }),
    });
    return { ...result, publicKeyPem: publicKeyPem(result.publicKey) };
  },

  listRotationSchedules: ({ op, request }) => rotationSchedules(op, request.query),

  listUpcomingRotations: ({ op, request }) => rotationSchedules(op, request.query),

  createMigration: ({ op, request }) => createMigration(op, request.body),

  listMigrations: ({ op, request }) => listMigrations(op, request.query),

  getMigration: ({ op, request }) => getMigration(op, request.params),

  cancelMigration: ({ op, request }) => cancelMigration(op, request.params),
} satisfies Partial<Handlers>;
