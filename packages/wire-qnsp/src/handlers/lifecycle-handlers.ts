import {
  badRequest,
  deleteKeyPolicy,
  destroyKey,
  getKeyPolicy,
  putKeyPolicy,
  restoreKey,
  resumeKey,
  revokeKey,
  rotateKey,
  shredKey,
  suspendKey,
  upgradeKey,
} from '@qnsp/kms-core';
import { changeRequest, reasonedChange } from './change-request.ts';
import type { Handlers } from './handler.ts';
import { shownChange } from './shown-change.ts';

export const lifecycleHandlers = {
  rotateKey: ({ op, request }) => shownChange(op, rotateKey(op, reasonedChange(request))),
  upgradeKey: ({ op, request }) => shownChange(op, upgradeKey(op, reasonedChange(request))),
  suspendKey: ({ op, request }) => shownChange(op, suspendKey(op, reasonedChange(request))),
  resumeKey: ({ op, request }) => shownChange(op, resumeKey(op, reasonedChange(request))),
  revokeKey: ({ op, request }) => shownChange(op, revokeKey(op, { ...request.body, ...changeRequest(request) })),
  destroyKey: ({ op, request }) => {
    const { body, query } = request;
    const pendingWindow = body.pendingWindow ?? query.pendingWindow;
    if (query.pendingWindow !== undefined && query.pendingWindow !== pendingWindow)
      throw badRequest('pendingWindow', 'has different values in the query and in the body');
    const change = {
      ...reasonedChange(request),
      ...(pendingWindow === undefined ? {} : { pendingDays: pendingWindow }),
    };
    return shownChange(op, destroyKey(op, change));
  },
  restoreKey: ({ op, request }) => shownChange(op, restoreKey(op, reasonedChange(request))),
  shredKey: ({ op, request }) => shownChange(op, shredKey(op, { ...request.body, ...reasonedChange(request) })),
  getKeyPolicy: async ({ op, request }) => (await getKeyPolicy(op, request.params)) ?? { version: '1', statements: [] },
  putKeyPolicy: ({ op, request }) => shownChange(op, putKeyPolicy(op, { ...request.body, ...changeRequest(request) })),
  deleteKeyPolicy: ({ op, request }) => shownChange(op, deleteKeyPolicy(op, changeRequest(request))),
} satisfies Partial<Handlers>;
