import type { KmsOperations } from '@qnsp/kms-client';
import { expect, test } from 'vitest';
import { makeProgram } from '../src/run.ts';

/** What does each operation of the HTTP interface on the command line. */
const COMMANDS: Readonly<Record<keyof KmsOperations, string>> = {
  createKey: 'keys create',
  listKeys: 'keys list',
  getKeyStats: 'keys stats',
  getKey: 'keys get',
  updateKey: 'keys update',
  getPublicKey: 'keys public-key',
  rotateKey: 'keys rotate',
  upgradeKey: 'keys upgrade',
  retireVersions: 'keys retire',
  getKeyUsage: 'keys usage',
  suspendKey: 'keys suspend',
  resumeKey: 'keys resume',
  revokeKey: 'keys revoke',
  destroyKey: 'keys destroy',
  restoreKey: 'keys restore',
  shredKey: 'keys shred',
  getKeyPolicy: 'keys policy get',
  putKeyPolicy: 'keys policy set',
  deleteKeyPolicy: 'keys policy remove',
  encrypt: 'message encrypt',
  decrypt: 'message decrypt',
  reencrypt: 'message reencrypt',
  sign: 'sign',
  verify: 'verify',
  mac: 'mac',
  verifyMac: 'verify-mac',
  wrap: 'wrap',
  unwrap: 'unwrap',
  createDataKey: 'data-key',
  encapsulate: 'encapsulate',
  decapsulate: 'decapsulate',
  derive: 'derive',
  getImportParameters: 'import',
  importKey: 'import',
  getRandom: 'random',
  listRotationSchedules: 'keys schedules',
  listUpcomingRotations: 'keys schedules',
  createMigration: 'migrate start',
  listMigrations: 'migrate list',
  getMigration: 'migrate status',
  cancelMigration: 'migrate cancel',
  createToken: 'tokens create',
  listTokens: 'tokens list',
  getToken: 'tokens get',
  getOwnToken: 'tokens get',
  rotateToken: 'tokens rotate',
  revokeToken: 'tokens revoke',
  createIdentityBinding: 'identities bind',
  listIdentityBindings: 'identities list',
  getIdentityBinding: 'identities get',
  deleteIdentityBinding: 'identities unbind',
  denyIdentity: 'identities deny',
  listIdentityDenials: 'identities denials',
  listApprovals: 'approvals list',
  getApproval: 'approvals show',
  decideApproval: 'approvals approve',
  liftIdentityDenial: 'identities lift',
  createTenant: 'tenants create',
  listTenants: 'tenants list',
  getTenant: 'tenants show',
  rotateMasterKey: 'tenants rotate-master-key',
  updateTenant: 'tenants limits',
  getTenantUsage: 'tenants usage',
  shredTenant: 'tenants shred',
  getInventory: 'inventory',
  exportInventory: 'inventory',
  listAuditEvents: 'audit events',
  getAuditProof: 'audit proof',
  listAuditCheckpoints: 'audit checkpoints',
  exportAudit: 'audit export',
  getHealth: 'service health',
  getLiveness: 'service live',
  getReadiness: 'service ready',
  getMetrics: 'service metrics',
  getOpenApi: 'service openapi',
  activateSdk: 'service activate',
};

test.each(Object.entries(COMMANDS))('%s is `kms %s`', (_operation, words) => {
  const program = makeProgram({ environment: {}, out: () => undefined, err: () => undefined });
  let command = program;
  for (const word of words.split(' ')) {
    const found = command.commands.find((one) => one.name() === word);
    if (found === undefined) throw new Error(`There is no command ${words}`);
    command = found;
  }
  expect(command.description()).not.toBe('');
});
