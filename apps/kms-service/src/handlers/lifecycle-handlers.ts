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

export const lifecycleHandlers = {
  rotateKey: (call) => rotateKey(call.kms, call.caller, reasonedChangeOf(call)),
  upgradeKey: (call) => upgradeKey(call.kms, call.caller, reasonedChangeOf(call)),
  suspendKey: (call) => suspendKey(call.kms, call.caller, reasonedChangeOf(call)),
  resumeKey: (call) => resumeKey(call.kms, call.caller, reasonedChangeOf(call)),
  revokeKey: (call) => revokeKey(call.kms, call.caller, { ...call.request.body, ...changeOf(call) }),
  destroyKey: (call) => {
    const { body, query } = call.request;
    const pendingWindow = body.pendingWindow ?? query.pendingWindow;
    if (query.pendingWindow !== undefined && query.pendingWindow !== pendingWindow)
      throw badRequest('pendingWindow', 'is in the query and in the body with two values');
    return destroyKey(call.kms, call.caller, {
      ...reasonedChangeOf(call),
      ...(pendingWindow === undefined ? {} : { pendingDays: pendingWindow }),
    });
  },
  restoreKey: (call) => restoreKey(call.kms, call.caller, reasonedChangeOf(call)),
  shredKey: (call) => shredKey(call.kms, call.caller, { ...call.request.body, ...reasonedChangeOf(call) }),
  getKeyPolicy: async ({ kms, caller, request }) =>
    (await getKeyPolicy(kms, caller, request.params)) ?? { version: '1', statements: [] },
  putKeyPolicy: (call) => putKeyPolicy(call.kms, call.caller, { ...call.request.body, ...changeOf(call) }),
  deleteKeyPolicy: (call) => deleteKeyPolicy(call.kms, call.caller, changeOf(call)),
} satisfies Partial<Handlers>;
