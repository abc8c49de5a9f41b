import {
  deleteKeyPolicy,
  destroyKey,
  getKeyPolicy,
  putKeyPolicy,
  restoreKey,
  retireVersions,
  resumeKey,
  revokeKey,
  rotateKey,
  shredKey,
  suspendKey,
  upgradeKey,
} from '@qnsp/kms-core/internal';
import { badRequest } from '@qnsp/kms-core/ports';
import { changeRequest, reasonedChange } from './change-request.ts';
import type { Handlers } from './handler.ts';
import { shownChange } from './shown-change.ts';

export const lifecycleHandlers = {
  rotateKey: ({ op, request }) => shownChange(op, (told) => rotateKey(told, reasonedChange(request))),
  upgradeKey: ({ op, request }) => shownChange(op, (told) => upgradeKey(told, reasonedChange(request))),
  retireVersions: ({ op, request }) =>
    shownChange(op, (told) =>
      retireVersions(told, { ...reasonedChange(request), olderThanDays: request.body.olderThanDays }),
    ),
  suspendKey: ({ op, request }) => shownChange(op, (told) => suspendKey(told, reasonedChange(request))),
  resumeKey: ({ op, request }) => shownChange(op, (told) => resumeKey(told, reasonedChange(request))),
  revokeKey: ({ op, request }) =>
    shownChange(op, (told) => revokeKey(told, { ...request.body, ...changeRequest(request) })),
  destroyKey: ({ op, request }) => {
    const { body, query } = request;
    const pendingWindow = body.pendingWindow ?? query.pendingWindow;
    if (query.pendingWindow !== undefined && query.pendingWindow !== pendingWindow)
      throw badRequest('pendingWindow', 'has different values in the query and in the body');
    const acknowledgeLastUse = body.acknowledgeLastUse ?? query.acknowledgeLastUse;
    if (query.acknowledgeLastUse !== undefined && query.acknowledgeLastUse.getTime() !== acknowledgeLastUse?.getTime())
      throw badRequest('acknowledgeLastUse', 'has different values in the query and in the body');
    const change = {
      ...reasonedChange(request),
      ...(acknowledgeLastUse === undefined ? {} : { acknowledgeLastUse }),
      ...(pendingWindow === undefined ? {} : { pendingDays: pendingWindow }),
    };
    return shownChange(op, (told) => destroyKey(told, change));
  },
  restoreKey: ({ op, request }) => shownChange(op, (told) => restoreKey(told, reasonedChange(request))),
  shredKey: ({ op, request }) =>
    shownChange(op, (told) => shredKey(told, { ...request.body, ...reasonedChange(request) })),
  getKeyPolicy: async ({ op, request }) => (await getKeyPolicy(op, request.params)) ?? { version: '1', statements: [] },
  putKeyPolicy: ({ op, request }) =>
    shownChange(op, (told) => putKeyPolicy(told, { ...request.body, ...changeRequest(request) })),
  deleteKeyPolicy: ({ op, request }) => shownChange(op, (told) => deleteKeyPolicy(told, changeRequest(request))),
} satisfies Partial<Handlers>;
