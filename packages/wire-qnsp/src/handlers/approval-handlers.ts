import { decideApproval, getApproval, listApprovals } from '@qnsp/kms-core/internal';
import type { Handlers } from './handler.ts';

export const approvalHandlers = {
  listApprovals: ({ op, request }) => listApprovals(op, request.query),
  getApproval: ({ op, request }) => getApproval(op, request.params),
  decideApproval: ({ op, request }) => decideApproval(op, { ...request.body, ...request.params }),
} satisfies Partial<Handlers>;
