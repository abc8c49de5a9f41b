import { randomBytes } from 'node:crypto';
import { type AuditEvent, type Caller, PERMISSIONS, resolveAlgorithm, type Role, softwareRoot } from '@qnsp/kms-core';
import {
  type AccessKeyCredentials,
  accessKeyVerifier,
  apiTokenVerifier,
  createApiToken,
  type CreateApiTokenInput,
  createKey,
  establishRoots,
  IdentityRing,
  KeyHierarchy,
  KeyRing,
  type Kms,
  DEFAULT_QUOTAS,
  OperationBudgets,
  TenantQuotas,
  KeyUses,
  OperationCounter,
  poolJobs,
  RefusedTokens,
  revokeApiToken,
  TokenRing,
} from '@qnsp/kms-core/internal';
import { addTenant, inMemoryStore } from '@qnsp/kms-core/testing';
import { makeAccessLog } from '../access-log.ts';
import type { Edge } from '../edge.ts';

const HOUR_MS = 60 * 60_000;

/** An edge over the core and a store in memory, with a key, its tenant's tokens and whatever calls leave. */
export async function edgeUnderTest() {
  const store = inMemoryStore();
  const roots = [softwareRoot('software', randomBytes(32))];
  const hierarchy = new KeyHierarchy(store, roots);
  await establishRoots(store, hierarchy, roots);
  let ahead = 0;
  const kms: Kms = {
    store,
    hierarchy,
    keyRing: new KeyRing(store, hierarchy, { feed: store.changes }),
    tokens: new TokenRing(store, hierarchy, { feed: store.changes }),
    identities: new IdentityRing(store, hierarchy, { feed: store.changes }, () => Date.now()),
    quotas: new TenantQuotas(store, hierarchy, { feed: store.changes }, DEFAULT_QUOTAS),
    budgets: new OperationBudgets(store),
    resident: [],
    counter: new OperationCounter(),
    uses: new KeyUses(),
    jobs: poolJobs(),
    clock: () => Date.now() + ahead,
    random: randomBytes,
    settings: { defaultAlgorithm: resolveAlgorithm('aes-256-gcm'), requireFips: false },
  };
  const tenantId = await addTenant(store, hierarchy);
  const otherTenantId = await addTenant(store, hierarchy);
  const caller: Caller = {
    tenantId,
    subject: 'setup',
    permissions: new Set(PERMISSIONS),
    attributes: { ip: null, mfa: false },
  };
  const { keyId } = await createKey({ kms, caller }, { name: 'letters' });
  const accessKeys = new Map<string, AccessKeyCredentials>();
  const makeToken = async (input: CreateApiTokenInput) => {
    const made = await createApiToken({ kms, caller }, { ...input, awsCredentials: true });
    if (made.awsCredentials !== undefined) accessKeys.set(made.token, made.awsCredentials);
    return made;
  };
  const live = await makeToken({ name: 'live', role: 'tenant_admin' });
  const expiresAt = new Date(Date.now() + HOUR_MS);
  const expired = await makeToken({ name: 'expired', role: 'tenant_admin', expiresAt });
  ahead = 2 * HOUR_MS;

  const lines: string[] = [];
  const events: AuditEvent[] = [];
  const observed: { readonly wire: string; readonly operation: string; readonly status: number }[] = [];
  const note = (fields: object, msg: string) => lines.push(JSON.stringify({ ...fields, msg }));
  const edge: Edge = {
    kms,
    verifiers: [accessKeyVerifier(kms), apiTokenVerifier(kms)],
    logs: {
      log: { error: note, warn: note },
      access: makeAccessLog('edge', (line) => lines.push(line)),
    },
    metrics: { observe: (wire, operation, status) => observed.push({ wire, operation, status }) },
    readiness: [],
    trail: { requireRoom: () => undefined, record: async (event) => void events.push(event) },
    refusedTokens: new RefusedTokens(),
  };
  /** A further token of the tenant, with what ends it. */
  const issue = async (role: Role) => {
    const { token, tokenId } = await makeToken({ name: 'further', role });
    return { token, revoke: () => revokeApiToken({ kms, caller }, { tokenId }) };
  };
  return {
    edge,
    store,
    keyId,
    tenantId,
    otherTenantId,
    token: live.token,
    expiredToken: expired.token,
    /** What signs in place of a token; nothing for one that is made up. */
    accessKeyOf: (token: string) => accessKeys.get(token),
    issue,
    lines,
    events,
    observed,
  };
}
