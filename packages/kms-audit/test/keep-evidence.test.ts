import { randomBytes } from 'node:crypto';
import { batchProblem, checkpointSigner, checkpointVerifier, type EvidenceReport, keepEvidence } from '@qnsp/kms-audit';
import { type EvidenceBatch, localCaller, openKms, softwareRoot, SYSTEM_TENANT } from '@qnsp/kms-core';
import { inMemoryStorage } from '@qnsp/kms-core/testing';
import { expect, test } from 'vitest';
import { samplePem } from './audit-samples.ts';

test('what a KMS does is sealed, signed and delivered, and its end leaves nothing undone', async () => {
  const signer = checkpointSigner(samplePem());
  const delivered: EvidenceBatch[] = [];
  const reports: EvidenceReport[] = [];
  const storage = inMemoryStorage();
  const kms = await openKms({
    storage,
    roots: softwareRoot('software', randomBytes(32)),
    alert: () => undefined,
    evidence: keepEvidence({
      signer,
      deliver: async (batch) => {
        delivered.push(batch);
        return { kind: 'accepted' };
      },
      report: (report) => void reports.push(report),
    }),
  });
  const platform = localCaller({ tenantId: SYSTEM_TENANT, subject: 'setup', role: 'platform_admin' });
  const { tenantId } = await kms.as(platform).createTenant({ name: 'test' });
  const caller = localCaller({ tenantId, subject: 'alice', role: 'tenant_admin' });
  const { keyId } = await kms.as(caller).createKey({});
  const { ciphertext } = await kms.as(caller).encrypt({ keyId, plaintext: Buffer.from('a') });
  await kms.as(caller).decrypt({ ciphertext });
  const actions = () =>
    delivered
      .flatMap(({ events }) => events.filter(({ event }) => event.tenantId === tenantId))
      .map(({ event }) => event.action);
  await expect.poll(actions, { timeout: 10_000 }).toEqual(['createKey', 'encrypt', 'decrypt']);
  const found = await kms.as(caller).listAuditEvents({ keyId });
  expect(found.items.map(({ event }) => event.action)).toEqual(['decrypt', 'encrypt', 'createKey']);
  await kms.as(caller).rotateMasterKey({ tenantId });
  expect((await kms.own.resealMasterKeys(AbortSignal.timeout(10_000))).retired).toEqual([tenantId]);
  const changes = () =>
    delivered
      .flatMap(({ events }) => events.map(({ event }) => event))
      .filter(({ eventType }) => eventType.startsWith('kms.tenant.master-key'));
  await expect.poll(() => changes().length, { timeout: 10_000 }).toBe(2);
  await kms.close();
  expect(changes()).toMatchObject([
    { eventType: 'kms.tenant.master-key-rotated', tenantId, changes: { after: { masterKeyVersion: 2 } } },
    { eventType: 'kms.tenant.master-key-destroyed', tenantId, changes: { after: { masterKeyVersions: ['2'] } } },
  ]);
  expect(reports.filter(({ kind }) => kind === 'failed' || kind === 'refused')).toEqual([]);
  const verifier = checkpointVerifier(signer.publicKeyPem);
  expect(delivered.map((batch) => batchProblem(batch, verifier))).toEqual(delivered.map(() => undefined));
});
