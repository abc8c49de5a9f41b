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
import { changeOf, reasonedChangeOf } from './change-of.ts';
import type { Handlers } from './handler.ts';
import { shownChange } from './shown-change.ts';

export const lifecycleHandlers = {
  rotateKey: (call) => shownChange(call, rotateKey(call.kms, call.caller, reasonedChangeOf(call))),
  upgradeKey: (call) => shownChange(call, upgradeKey(call.kms, call.caller, reasonedChangeOf(call))),
  suspendKey: (call) => shownChange(call, suspendKey(call.kms, call.caller, reasonedChangeOf(call))),
  resumeKey: (call) => shownChange(call, resumeKey(call.kms, call.caller, reasonedChangeOf(call))),
  revokeKey: (call) => shownChange(call, revokeKey(call.kms, call.caller, { ...call.request.body, ...changeOf(call) })),
  destroyKey: (call) => {
    const { body, query } = call.request;
    const pendingWindow = body.pendingWindow ?? query.pendingWindow;
    if (query.pendingWindow !== undefined && query.pendingWindow !== pendingWindow)
      throw badRequest('pendingWindow', 'has different values in the query and in the body');
    const change = {
      ...reasonedChangeOf(call),
      ...(pendingWindow === undefined ? {} : { pendingDays: pendingWindow }),
    };
    return shownChange(call, destroyKey(call.kms, call.caller, change));
  },
  restoreKey: (call) => shownChange(call, restoreKey(call.kms, call.caller, reasonedChangeOf(call))),
  shredKey: (call) =>
    shownChange(call, shredKey(call.kms, call.caller, { ...call.request.body, ...reasonedChangeOf(call) })),
  getKeyPolicy: async ({ kms, caller, request }) =>
    (await getKeyPolicy(kms, caller, request.params)) ?? { version: '1', statements: [] },
  putKeyPolicy: (call) =>
    shownChange(call, putKeyPolicy(call.kms, call.caller, { ...call.request.body, ...changeOf(call) })),
  deleteKeyPolicy: (call) => shownChange(call, deleteKeyPolicy(call.kms, call.caller, changeOf(call))),
} satisfies Partial<Handlers>;
