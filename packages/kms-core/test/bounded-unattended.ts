import * as core from '../src/exports/internal.ts';
import { newId } from '../src/exports/internal.ts';
import type { Fixture } from './kms-fixture.ts';

interface Cases {
  readonly outside: readonly { readonly path: string; readonly run: (fixture: Fixture) => unknown }[];
}

const none = () => undefined;
const first = (name: unknown, token: unknown) => (f: Fixture) =>
  core.bootstrapTenant(core.operationOfService(f.kms, 'bootstrapTenant'), {
    name: name as string,
    token: token as core.CreateApiTokenInput,
    publish: none,
  });
const token = { name: 'first', role: 'tenant_admin' } as const;
const sweep = (limits: object) => (f: Fixture) =>
  core.sweepResidentKeys(core.operationOfService(f.kms, 'sweepResidentKeys'), {
    createLimitSeconds: 300,
    orphanGraceSeconds: 600,
    ...limits,
  });
const isDue = (limits: object) => (f: Fixture) =>
  core.isSweepDue(core.operationOfService(f.kms, 'sweepResidentKeys'), {
    createLimitSeconds: 300,
    orphanGraceSeconds: 600,
    ...limits,
  });
const rotateDue = (part: object) => (f: Fixture) =>
  core.rotateDueMasterKeys(
    core.operationOfService(f.kms, 'rotateDueMasterKeys'),
    { days: 365, limit: 1, ...part },
    new AbortController().signal,
  );
const migrate = (part: object) => (f: Fixture) =>
  core.runMigrations(
    core.operationOfService(f.kms, 'runMigrations'),
    { holder: 'one', ...part },
    new AbortController().signal,
  );
const entomb = (part: object) => (f: Fixture) =>
  core.applyTombstones(core.operationOfService(f.kms, 'applyTombstones'), [
    {
      kind: 'key',
      tenantId: f.tenantId,
      keyId: newId(),
      state: 'revoked',
      reason: null,
      at: new Date(),
      ...part,
    },
  ]);

const outsideLimits = (withLimits: typeof sweep | typeof isDue) =>
  [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY].flatMap((seconds) => [
    { path: 'createLimitSeconds', run: withLimits({ createLimitSeconds: seconds }) },
    { path: 'orphanGraceSeconds', run: withLimits({ orphanGraceSeconds: seconds }) },
  ]);

/** The operations that the service does by itself, without a caller. */
export const UNATTENDED: Readonly<Record<string, Cases>> = {
  bootstrapTenant: {
    outside: [
      { path: 'name', run: first('', token) },
      { path: 'name', run: first('x'.repeat(257), token) },
      { path: 'name', run: first('tenant', { ...token, name: '' }) },
      { path: 'role', run: first('tenant', { name: 'first' }) },
      { path: 'expiresAt', run: first('tenant', { ...token, expiresAt: new Date(Number.NaN) }) },
    ],
  },
  installPlatformToken: {
    outside: ['', 'secret', `qnsp_pqc_${'x'.repeat(42)}`, `qnsp_pqc_${'x'.repeat(44)}`].map((text) => ({
      path: 'token',
      run: (f: Fixture) => core.installPlatformToken(core.operationOfService(f.kms, 'installPlatformToken'), text),
    })),
  },
  // A negative grace would destroy what a restored database does not know yet.
  sweepResidentKeys: { outside: outsideLimits(sweep) },
  removeExpiredTokens: {
    outside: [-1, 0, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 101 * 365 * 24 * 60 * 60].map((seconds) => ({
      path: 'seconds',
      run: (f: Fixture) =>
        core.removeExpiredTokens(
          core.operationOfService(f.kms, 'removeExpiredTokens'),
          { seconds },
          new AbortController().signal,
        ),
    })),
  },
  rotateDueMasterKeys: {
    outside: [
      ...[-1, 0.5, 3651, Number.NaN].map((days) => ({ path: 'days', run: rotateDue({ days }) })),
      ...[-1, 0, 0.5, Number.POSITIVE_INFINITY].map((limit) => ({ path: 'limit', run: rotateDue({ limit }) })),
    ],
  },
  isSweepDue: { outside: outsideLimits(isDue) },
  applyTombstones: {
    outside: [
      { path: 'kind', run: entomb({ kind: 'other' }) },
      { path: 'tenantId', run: entomb({ tenantId: 'x' }) },
      { path: 'tenantId', run: entomb({ kind: 'tenant', tenantId: 'x' }) },
      { path: 'tokenId', run: entomb({ kind: 'token', tokenId: 'x' }) },
      { path: 'tenantId', run: entomb({ kind: 'identity', tenantId: 'x', bindingId: newId() }) },
      { path: 'bindingId', run: entomb({ kind: 'identity', tenantId: newId(), bindingId: 'x' }) },
      { path: 'keyId', run: entomb({ keyId: newId().toUpperCase() }) },
      { path: 'state', run: entomb({ state: 'active' }) },
      { path: 'at', run: entomb({ at: new Date(Number.NaN) }) },
    ],
  },
  bindTenants: {
    outside: [-1, 0, 0.5, Number.NaN, Number.POSITIVE_INFINITY].map((limit) => ({
      path: 'limit',
      run: (f: Fixture) => core.bindTenants(core.operationOfService(f.kms, 'bindTenants'), { limit }),
    })),
  },
  // These take nothing, or what is only compared with what is configured and in use: another name is not found.
  checkRoots: { outside: [] },
  completeWraps: { outside: [] },
  rootStatus: { outside: [] },
  initialiseRoots: { outside: [] },
  addRoot: { outside: [] },
  rotateRoot: { outside: [] },
  retireRoot: { outside: [] },
  // These take nothing of a caller's: a signal to stop, and a token that is only compared by its hash.
  runDueWork: { outside: [] },
  resealMasterKeys: { outside: [] },
  runMigrations: {
    outside: [
      ...['', 'x'.repeat(257), 'a\nb'].map((holder) => ({ path: 'holder', run: migrate({ holder }) })),
      ...[0, 999, 3_600_001, 1000.5, Number.NaN].map((leaseMs) => ({ path: 'leaseMs', run: migrate({ leaseMs }) })),
    ],
  },
  authenticateToken: { outside: [] },
  apiTokenVerifier: { outside: [] },
  accessKeyVerifier: { outside: [] },
  accountOf: {
    outside: [
      { path: 'tenantId', run: (f) => core.accountOf(f.kms, 'tenant') },
      { path: 'tenantId', run: (f) => core.accountOf(f.kms, f.tenantId.toUpperCase()) },
    ],
  },
};
