import { randomBytes } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseExportLine, verifyExport } from '@qnsp/kms-audit';
import { createDatabase, freePort, startPostgres, startService } from '@qnsp/test-harness';
import { expect, vi } from 'vitest';
import { expectMixture, isAnswered, startMixture } from './evidence-mixture.ts';
import { evidenceEnv, listen, PUBLIC_KEY_PEM, startReceiver } from './evidence-sample.ts';
import { runLoad, waitingEvents } from './load.ts';
import { send } from './local-service.ts';

type Fault = (response: ServerResponse, socket: Socket, take: () => void) => void;
const FAULTS: readonly Fault[] = [
  (response) => response.writeHead(500).end('boom'),
  (response) => response.writeHead(429, { 'retry-after': '1' }).end(),
  (_response, socket) => socket.end('\u0000 garbage\r\n\r\n'),
  (_response, socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n{"bat'),
  (response) => void setTimeout(() => response.writeHead(503).end(), 1500),
  (_response, socket) => socket.destroy(),
  (response, socket, take) => {
    // The receiver takes the batch, and its answer is lost.
    response.end = () => {
      socket.destroy();
      return response;
    };
    take();
  },
];

/** Takes a batch and never says a word, until the sender gives up. */
const STALL: Fault = () => undefined;
/** How long the audit service is not there at all. */
const OUTAGE_MS = 150_000;

/**
 * Encrypts under load while the audit service fails in every way, the database is killed and the service is killed, and
 * then holds what was answered against what the receiver has. Denied calls, changes of a key and small batches come in between.
 *
 * @param patient whether there is time for an audit service that stalls and for one that is away for minutes
 */
export async function runEvidenceFaults(operations: number, patient = false): Promise<void> {
  const faults = patient ? [...FAULTS, STALL] : FAULTS;
  const postgres = await startPostgres();
  const receiver = await startReceiver();
  let fault: Fault | undefined;
  const sink = createServer((request, response) => {
    const take = () => receiver.server.emit('request', request, response);
    if (fault === undefined) take();
    else fault(response, request.socket, take);
  });
  const sinkPort = await listen(sink);
  const database = await createDatabase(postgres.url);
  const env = {
    DATABASE_URL: database.url,
    KMS_ROOT_KEY: randomBytes(32).toString('base64'),
    KMS_PLATFORM_TOKEN: `qnsp_pqc_${randomBytes(32).toString('base64url')}`,
    LOG_LEVEL: 'error',
    PORT: String(await freePort()),
    ...evidenceEnv(`http://127.0.0.1:${sinkPort}`),
  };
  let service = await startService({ env });
  const { baseUrl } = service;
  const platform = (path: string, body: object, headers = {}) =>
    send(`${baseUrl}${path}`, 'POST', env.KMS_PLATFORM_TOKEN, body, headers);
  const tenantId = String((await platform('/kms/v1/tenants', { name: 'faults' })).body['tenantId']);
  const made = await platform('/kms/v1/tokens', { name: 'load', role: 'tenant_admin' }, { 'x-qnsp-tenant': tenantId });
  const token = String(made.body['token']);
  const key = await send(`${baseUrl}/kms/v1/keys`, 'POST', token, {});
  const reader = await platform('/kms/v1/tokens', { name: 'r', role: 'auditor' }, { 'x-qnsp-tenant': tenantId });
  const mixture = startMixture({ baseUrl, token, powerless: String(reader.body['token']) });

  const killings: Promise<void>[] = [];
  let killed = 0;
  let away = !patient;
  const disturb = (answered: number) => {
    const turn = Math.floor((answered * faults.length * 4) / operations);
    // Every second stretch the audit service is well.
    fault = turn % 2 === 0 ? undefined : faults[Math.floor(turn / 2) % faults.length];
    if (!away && answered > operations / 2) {
      away = true;
      sink.close();
      sink.closeAllConnections();
      killings.push(sleep(OUTAGE_MS).then(async () => void (await listen(sink, sinkPort))));
    }
    if (killed === 0 && answered > operations / 3) {
      killed = 1;
      killings.push(postgres.kill9().then(() => postgres.restart()));
    }
    if (killed === 1 && answered > (operations * 2) / 3) {
      killed = 2;
      killings.push(
        service.kill9().then(async () => {
          service = await startService({ env });
        }),
      );
    }
  };
  const outcomes = await runLoad({
    baseUrl: () => baseUrl,
    path: `/kms/v1/keys/${String(key.body['keyId'])}/encrypt`,
    token,
    body: JSON.stringify({ plaintext: randomBytes(64).toString('base64') }),
    concurrency: 64,
    prefix: 'op',
    more: (count) => {
      disturb(count);
      return count < operations;
    },
  });
  await Promise.all(killings);
  fault = undefined;
  const mixed = await mixture.stop();

  await vi.waitFor(async () => expect(await waitingEvents(service)).toBe(0), { timeout: 180_000, interval: 200 });
  const answered = outcomes.filter(({ status }) => status === 200).map(({ requestId }) => requestId);
  const attempted = new Set(outcomes.map(({ requestId }) => requestId));
  const left = () =>
    receiver.lines(tenantId).flatMap((line) => {
      const parsed = parseExportLine(line);
      return parsed?.kind === 'event' ? [parsed.entry.event] : [];
    });
  const named = [...answered, ...mixed.filter(isAnswered).map(({ requestId }) => requestId)];
  await vi.waitFor(
    () => {
      const ids = new Set(left().map(({ context }) => context.requestId));
      expect(named.filter((requestId) => !ids.has(requestId))).toEqual([]);
    },
    { timeout: 120_000, interval: 500 },
  );
  expectMixture(mixed, left());
  const events = left().filter(({ context }) => context.requestId?.startsWith('op-'));
  const requestIds = events.map(({ context }) => String(context.requestId));
  // What was not answered, because something was killed, may have left its event or not; nothing else has one.
  expect(new Set(requestIds).size).toBe(requestIds.length);
  expect(requestIds.filter((requestId) => !attempted.has(requestId))).toEqual([]);
  expect(outcomes.filter(({ status }) => ![0, 200, 503].includes(status))).toEqual([]);
  expect(answered.length).toBeGreaterThanOrEqual(operations);
  const report = await verifyExport(receiver.lines(tenantId), { publicKeysPem: [PUBLIC_KEY_PEM] });
  expect(report).toMatchObject({ verified: true, gaps: 0 });
  process.stderr.write(
    `${outcomes.length} operations, ${answered.length} answered, ${events.length} events, ${mixed.length} other calls, ${report.checkpoints} batches, verified\n`,
  );
  await service.stop();
  sink.closeAllConnections();
  sink.close();
  await receiver.close();
  await postgres.stop();
}
