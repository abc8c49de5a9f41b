import { z } from 'zod';
import { EXAMPLE } from '../answers/examples.ts';
import { listWarnings } from '../answers/key.ts';
import { answeredInstant } from '../fields/instant.ts';
import { pageLimit } from '../fields/query.ts';
import { urlSafe } from '../fields/text.ts';
import { component, onTheWire } from '../fields/wire-schema.ts';
import { LIMITS } from '../bounds/limits.ts';
import { BASE_PATH, defineRoute, group, tenantId } from '../route/route.ts';

const answeredUuid = onTheWire(z.string(), { type: 'string', format: 'uuid' });

const approvalSchema = component(
  'Approval',
  z.object({
    approvalId: answeredUuid,
    tenantId: answeredUuid,
    state: z
      .enum(['pending', 'executed', 'refused', 'withdrawn', 'expired'])
      .describe('A request waits for approvals until it is `executed`: by the same call, made again.'),
    operation: z.string().describe('The operation, by its id in this document.'),
    request: onTheWire(z.record(z.string(), z.unknown()), {
      type: 'object',
      additionalProperties: true,
      description: 'What exactly is asked for. Instants are `{"date": milliseconds since 1970}`.',
    }),
    requestHash: z.string().describe('SHA-256 over who asks for what, in hexadecimal: as in the evidence.'),
    requestedBy: z.string().describe('The id of an API token, or an issuer, `#`, and whom it names.'),
    required: z.int().describe('How many approvals it took when it was asked for.'),
    approved: z.int().describe('How many there are.'),
    decisions: z.array(z.object({ by: z.string(), decision: z.enum(['approve', 'refuse']), at: answeredInstant })),
    createdAt: answeredInstant,
    expiresAt: answeredInstant.describe('Until when it waits.'),
  }),
);

const EXAMPLE_APPROVAL = {
  approvalId: EXAMPLE.bindingId,
  tenantId: EXAMPLE.tenantId,
  state: 'pending',
  operation: 'shredKey',
  request: { confirmation: `SHRED-${EXAMPLE.keyId}`, keyId: EXAMPLE.keyId },
  requestHash: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  requestedBy: EXAMPLE.tokenId,
  required: 2,
  approved: 0,
  decisions: [],
  createdAt: EXAMPLE.instant,
  expiresAt: EXAMPLE.later,
};

const shared = { tag: 'Approvals', auth: 'bearer', status: 200 } as const;

export const approvalRoutes = group({
  listApprovals: defineRoute({
    ...shared,
    operationId: 'listApprovals',
    method: 'GET',
    path: `${BASE_PATH}/approvals`,
    summary: 'List what waits for approvals, and what became of it',
    description: 'Newest first. Requests are kept for 90 days after their time is over.',
    query: z.strictObject({
      tenantId,
      limit: pageLimit.exactOptional(),
      cursor: urlSafe(LIMITS.cursorCharacters).exactOptional().describe('`nextCursor` of the previous page.'),
      state: z.enum(['pending', 'executed', 'refused', 'withdrawn']).exactOptional(),
    }),
    response: component(
      'ApprovalPage',
      z.object({
        items: z.array(approvalSchema),
        nextCursor: z.string().nullable().describe('Where the next page starts; `null` on the last page.'),
        warnings: listWarnings,
      }),
    ),
    list: true,
    errors: [],
    mutating: false,
    example: { query: { state: 'pending' }, answer: { items: [EXAMPLE_APPROVAL], nextCursor: null } },
  }),
  getApproval: defineRoute({
    ...shared,
    operationId: 'getApproval',
    method: 'GET',
    path: `${BASE_PATH}/approvals/{approvalId}`,
    summary: 'Show a request for approvals',
    description: 'Who made it needs no permission for it.',
    response: approvalSchema,
    errors: ['NOT_FOUND'],
    mutating: false,
    example: { answer: EXAMPLE_APPROVAL },
  }),
  decideApproval: defineRoute({
    ...shared,
    operationId: 'decideApproval',
    method: 'POST',
    path: `${BASE_PATH}/approvals/{approvalId}`,
    summary: 'Approve, refuse or withdraw a request',
    description:
      'Nobody approves their own request, or approves twice; tokens that descend from one another, or from one token of the tenant, are one ' +
      'caller. One refusal ends a request. Only who made it withdraws it.',
    body: z.strictObject({ tenantId, decision: z.enum(['approve', 'refuse', 'withdraw']) }),
    response: approvalSchema,
    errors: ['NOT_FOUND', 'CONFLICT'],
    mutating: true,
    example: {
      body: { decision: 'approve' },
      answer: {
        ...EXAMPLE_APPROVAL,
        approved: 1,
        decisions: [{ by: EXAMPLE.bindingId, decision: 'approve', at: EXAMPLE.instant }],
      },
    },
  }),
});
