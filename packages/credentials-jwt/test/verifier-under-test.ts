import { randomBytes } from 'node:crypto';
import { effectivePermissions, resolveAlgorithm, softwareRoot } from '@qnsp/kms-core';
import {
  claimsOfCertificate,
  type CreateIdentityBindingInput,
  createIdentityBinding,
  deleteIdentityBinding,
  denyIdentity,
  establishRoots,
  IdentityRing,
  KeyHierarchy,
  KeyRing,
  type Kms,
  type Operation,
  DEFAULT_QUOTAS,
  OperationBudgets,
  TenantQuotas,
  KeyUses,
  OperationCounter,
  poolJobs,
  refuseProven,
  resolveIdentity,
  TokenRing,
} from '@qnsp/kms-core/internal';
import { newId, notAuthorized, type PresentedCertificate } from '@qnsp/kms-core/ports';
import { addTenant, inMemoryStore, MapCache } from '@qnsp/kms-core/testing';
import { jwtVerifier, type RefusalReason, readTrustedIssuers, type VerifiedToken } from '../src/index.ts';

/** A core with one tenant, and a verifier of JWTs over it. */
export async function verifierUnderTest(issuers: readonly object[]) {
  const store = inMemoryStore();
  const roots = [softwareRoot('software', randomBytes(32))];
  const hierarchy = new KeyHierarchy(store, roots);
  await establishRoots(store, hierarchy, roots);
  const feed = store.changes;
  let offset = 0;
  const clock = () => Date.now() + offset;
  const kms: Kms = {
    store,
    hierarchy,
    keyRing: new KeyRing(store, hierarchy, { feed, memory: new MapCache() }),
    tokens: new TokenRing(store, hierarchy, { feed, memory: new MapCache() }),
    identities: new IdentityRing(store, hierarchy, { feed, memory: new MapCache() }, clock),
    quotas: new TenantQuotas(store, hierarchy, { feed, memory: new MapCache() }, DEFAULT_QUOTAS),
    budgets: new OperationBudgets(store),
    resident: [],
    counter: new OperationCounter(),
    uses: new KeyUses(),
    jobs: poolJobs(),
    clock,
    random: randomBytes,
    settings: { defaultAlgorithm: resolveAlgorithm('AES-256-GCM'), requireFips: false },
  };
  const tenantId = newId();
  await addTenant(store, hierarchy, tenantId, { name: 'test' });
  const admin: Operation = {
    kms,
    caller: {
      tenantId,
      subject: 'the test',
      permissions: effectivePermissions('tenant_admin', []),
      attributes: { ip: null, mfa: false },
    },
  };
  const refusals: RefusalReason[] = [];
  const failures: unknown[] = [];
  const memory = new MapCache<VerifiedToken>();
  let idle = 0;
  const verifier = jwtVerifier({
    issuers: readTrustedIssuers(JSON.stringify(issuers)),
    memory,
    resolve: (proven, tenant, certificate) => resolveIdentity(kms, proven, tenant, certificate),
    refuse: (proven, refusedFor, tenant, certificate) => refuseProven(kms, proven, refusedFor, tenant, certificate),
    holds: (proven, tenant, certificate) =>
      kms.identities.holds(proven, tenant, certificate && claimsOfCertificate(certificate)),
    clock,
    onRefused: (reason) => void refusals.push(reason),
    onIssuerFailure: (_issuer, error) => void failures.push(error),
    monotonic: () => performance.now() + idle,
  });
  return {
    tenantId,
    verifier,
    memory,
    refusals,
    failures,
    bind: (input: Omit<CreateIdentityBindingInput, 'role'>) =>
      createIdentityBinding(admin, { ...input, role: 'key_user' }),
    unbind: (bindingId: string) => deleteIdentityBinding(admin, { bindingId }),
    deny: (issuer: string, sub: string) => denyIdentity(admin, { issuer, sub }),
    verify: async (bearer: string, tenant?: string, certificate?: PresentedCertificate) =>
      verifier.verify({ bearer, tenant, certificate }),
    clock,
    /** Moves every clock. */
    advance: (milliseconds: number) => {
      offset += milliseconds;
      idle += milliseconds;
    },
    /** Lets time pass for what is known of issuers alone. */
    wait: (milliseconds: number) => {
      idle += milliseconds;
    },
  };
}

export type VerifierUnderTest = Awaited<ReturnType<typeof verifierUnderTest>>;

/** The answer for whatever is wrong with a token. */
export const REFUSED = { code: 'UNAUTHORIZED', message: notAuthorized().message };
