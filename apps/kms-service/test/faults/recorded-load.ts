import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer } from '../local-service.ts';
import { expectUnavailable } from './expect-unavailable.ts';
import type { ClientRequest, KmsOnPostgres } from './kms-on-postgres.ts';

/** A key as the last answer about it said that it is. */
interface AcknowledgedKey {
  readonly keyId: string;
  readonly state: string;
  readonly revision: number;
  readonly currentVersion: number;
}

/** What clients were told. */
export interface Ledger {
  readonly keys: Map<string, AcknowledgedKey>;
  readonly ciphertexts: { readonly keyId: string; readonly ciphertext: string; readonly plaintext: string }[];
  /** Every attempt, also those that were repeated. */
  readonly attempts: { readonly status: number | 'connection lost'; readonly durationMs: number }[];
}

export interface RecordedLoad {
  /** Lets every client finish what it is about. Rejects when one was told what it should not have been told. */
  finish(): Promise<void>;
}

const WORKERS = 8;
const PAUSE_MS = 50;

/**
 * Clients that create, use, rotate and end keys, one key of their own after the other. What is answered 503, or not at
 * all, is sent again with the same `Idempotency-Key` until it is done. The ledger is filled as they go.
 */
export function startRecordedLoad(kms: KmsOnPostgres, ledger: Ledger): RecordedLoad {
  let stopped = false;
  const work = async (): Promise<void> => {
    for (let turn = 0; !stopped; turn += 1) await liveOneKey(kms, ledger, turn);
  };
  const workers = Promise.all(Array.from({ length: WORKERS }, work));
  // A client that fails early is heard of by `finish`.
  workers.catch(() => undefined);
  return {
    async finish() {
      stopped = true;
      await workers;
    },
  };
}

export function emptyLedger(): Ledger {
  return { keys: new Map(), ciphertexts: [], attempts: [] };
}

/** Notes what an answer says of a key. */
export function record(ledger: Ledger, { body }: Answer): string {
  const { state, revision, currentVersion } = body;
  const keyId = String(body['keyId']);
  ledger.keys.set(keyId, {
    keyId,
    state: String(state),
    revision: Number(revision),
    currentVersion: Number(currentVersion),
  });
  return keyId;
}

async function liveOneKey(kms: KmsOnPostgres, ledger: Ledger, turn: number): Promise<void> {
  const change = async (request: ClientRequest): Promise<string> => {
    const answer = await insist(kms, ledger, { ...request, headers: { 'idempotency-key': randomUUID() } });
    return record(ledger, answer);
  };
  const keyId = await change({ method: 'POST', path: '/kms/v1/keys', body: {} });
  const path = `/kms/v1/keys/${keyId}`;
  const encrypt = async (): Promise<void> => {
    const plaintext = Buffer.from(randomUUID()).toString('base64');
    const { body } = await insist(kms, ledger, { method: 'POST', path: `${path}/encrypt`, body: { plaintext } });
    ledger.ciphertexts.push({ keyId, ciphertext: String(body['ciphertext']), plaintext });
  };
  await encrypt();
  await change({ method: 'POST', path: `${path}/rotate` });
  await encrypt();
  if (turn % 3 === 1) await change({ method: 'DELETE', path });
  if (turn % 3 === 2) await change({ method: 'POST', path: `${path}/shred`, body: { confirmation: `SHRED-${keyId}` } });
}

async function insist(kms: KmsOnPostgres, ledger: Ledger, request: ClientRequest): Promise<Answer> {
  for (;;) {
    const answer = await attempt(kms, ledger, request);
    if (answer !== undefined && answer.status < 300) return answer;
    if (answer !== undefined) expectUnavailable(answer);
    await sleep(PAUSE_MS);
  }
}

/** Answers `undefined` when the connection was lost, and with it the knowledge whether it was done. */
async function attempt(kms: KmsOnPostgres, ledger: Ledger, request: ClientRequest): Promise<Answer | undefined> {
  const started = performance.now();
  const note = (status: number | 'connection lost'): void => {
    ledger.attempts.push({ status, durationMs: performance.now() - started });
  };
  try {
    const answer = await kms.call(request);
    note(answer.status);
    return answer;
  } catch (error) {
    // What fetch says when the service is gone.
    if (!(error instanceof TypeError)) throw error;
    note('connection lost');
    return undefined;
  }
}
