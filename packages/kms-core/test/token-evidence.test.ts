import { beforeEach, expect, test } from 'vitest';
import {
  type AuditFacts,
  createApiToken,
  OperationEvidence,
  revokeApiToken,
  rotateApiToken,
  type Operation,
} from '../src/exports/internal.ts';
import { sha256 } from '../src/evidence/field-facts.ts';
import { type Fixture, makeFixture } from './kms-fixture.ts';

let f: Fixture;
beforeEach(async () => {
  f = await makeFixture();
});

function call(action: string): Operation {
  const trail = { requireRoom: () => undefined, record: async () => undefined };
  const { tenantId, kms, admin: caller } = f;
  const context = { requestId: 'r-1', userAgent: null, source: 'api', ip: null };
  const actor = { type: 'service', id: caller.subject } as const;
  return {
    kms,
    caller,
    evidence: new OperationEvidence(trail, kms.clock, { tenantId, actor, context, action, eventType: null }),
  };
}

/** What the events hold, by type and the id of what they are about. */
const left = (): readonly (readonly [
  string,
  string | null,
  AuditFacts | null | undefined,
  AuditFacts | null | undefined,
])[] =>
  f.store
    .evidence()
    .map(({ eventType, resource, changes }) => [eventType, resource.id, changes?.before, changes?.after]);

test('a token leaves its limits, and of its purpose only the SHA-256; its rotation and the end of its lineage leave ids', async () => {
  const keys = ['01890000-0000-7000-8000-000000000001'];
  const input = {
    name: 'x',
    role: 'key_user',
    purpose: 'letters',
    keys,
    addresses: ['192.0.2.0/24'],
    rate: 5,
  } as const;
  const { tokenId } = await createApiToken(call('createToken'), input);
  const next = await rotateApiToken(call('rotateToken'), { tokenId, overlapSeconds: 60 });
  await revokeApiToken(call('revokeToken'), { tokenId, cascade: true });
  const overlapEndsAt = new Date(Date.parse(next.createdAt) + 60_000).toISOString();
  expect(left()).toEqual([
    [
      'kms.token.created',
      tokenId,
      null,
      {
        name: 'x',
        role: 'key_user',
        permissions: [],
        expiresAt: null,
        'field:!keys': keys,
        'field:!addresses': ['192.0.2.0/24'],
        'field:!rate': 5,
        'field:purpose': sha256('letters'),
        'field:creator': f.admin.subject,
      },
    ],
    ['kms.token.rotated', tokenId, { overlapEndsAt: null }, { overlapEndsAt, replacedBy: next.tokenId }],
    [
      'kms.token.revoked',
      tokenId,
      { revokedAt: null },
      { revokedAt: expect.any(String), cascade: true, tokenIds: [tokenId, next.tokenId].sort() },
    ],
  ]);
});
