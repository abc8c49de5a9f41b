import { randomBytes } from 'node:crypto';
import { parseExportLine, verifyExport } from '@qnsp/kms-audit';
import { createDatabase, mountSmallDisk, type PostgresServer, type SmallDisk, startPostgres } from '@qnsp/test-harness';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { evidenceEnv, PUBLIC_KEY_PEM, type Receiver, startReceiver } from '../evidence-sample.ts';
import type { Answer } from '../local-service.ts';
import { type KmsOnPostgres, startKms } from './kms-on-postgres.ts';

/** For a new cluster, its write-ahead log, and some load. */
const DISK_MEBIBYTES = 192;
// Only root may mount a file system that fills up without filling anybody else's.
const isRoot = process.getuid?.() === 0;

let disk: SmallDisk;
let server: PostgresServer;
let receiver: Receiver;
let kms: KmsOnPostgres;

beforeEach(async () => {
  disk = mountSmallDisk(DISK_MEBIBYTES);
  server = await startPostgres({ directory: disk.path });
  receiver = await startReceiver();
  kms = await startKms({
    databaseUrl: (await createDatabase(server.url)).url,
    timeoutMs: 10_000,
    env: evidenceEnv(receiver.url),
  });
});
afterEach(async () => {
  await kms?.stop();
  await receiver?.close();
  await server?.stop();
  await disk?.unmount();
});

/** The ids of the requests whose encryption the receiver has evidence of, in its order. */
function evidenced(): readonly (string | null)[] {
  return receiver.lines(kms.tenantId).flatMap((line) => {
    const parsed = parseExportLine(line);
    if (parsed?.kind !== 'event' || parsed.entry.event.action !== 'encrypt') return [];
    return [parsed.entry.event.context.requestId];
  });
}

test.skipIf(!isRoot)(
  'the disk of PostgreSQL is full: nothing is encrypted without evidence, and nothing is lost (needs root)',
  { timeout: 600_000 },
  async () => {
    const key = await kms.call({ method: 'POST', path: '/kms/v1/keys', body: {} });
    const path = `/kms/v1/keys/${String(key.body['keyId'])}/encrypt`;
    const answered: string[] = [];
    const refused: Answer[] = [];
    const encrypt = async () => {
      const requestId = `full-${randomBytes(8).toString('hex')}`;
      const body = { plaintext: 'AAAA' };
      const answer = await kms.call({ method: 'POST', path, body, headers: { 'x-request-id': requestId } });
      if (answer.status === 200) answered.push(requestId);
      else refused.push(answer);
      return answer;
    };
    await encrypt();
    disk.fill();
    // The pages that are there already take a few more.
    await expect.poll(async () => (await encrypt()).status, { timeout: 60_000, interval: 0 }).toBe(503);
    // Probes say what calls do.
    const readyz = async () => (await fetch(`${kms.baseUrl()}/readyz`)).status;
    await expect.poll(readyz, { timeout: 30_000 }).toBe(503);
    disk.free();
    await expect.poll(readyz, { timeout: 30_000 }).toBe(200);
    await expect.poll(async () => (await encrypt()).status, { timeout: 30_000 }).toBe(200);
    for (const answer of refused) {
      expect(answer).toMatchObject({ status: 503, body: { code: 'AUDIT_UNAVAILABLE' } });
      expect(answer.body).not.toHaveProperty('ciphertext');
    }
    await expect
      .poll(() => answered.filter((requestId) => !evidenced().includes(requestId)), { timeout: 30_000 })
      .toEqual([]);
    expect(new Set(evidenced()).size).toBe(evidenced().length);
    const report = await verifyExport(receiver.lines(kms.tenantId), { publicKeysPem: [PUBLIC_KEY_PEM] });
    expect(report).toMatchObject({ verified: true, gaps: 0 });
  },
);
