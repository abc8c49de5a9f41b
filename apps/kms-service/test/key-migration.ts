import { setTimeout as sleep } from 'node:timers/promises';
import { createDatabase } from '@qnsp/test-harness';
import postgres from 'postgres';
import { expect } from 'vitest';
import { type KmsOnPostgres, startKms } from './faults/kms-on-postgres.ts';

/** How many keys of each algorithm there are, by its name. */
export type KeyNumbers = Readonly<Record<string, number>>;

/** What was seen while keys were migrated. */
export interface MigrationFigures {
  readonly keys: number;
  readonly migratedInSeconds: number;
  /** How many calls were made meanwhile, all of which succeeded. */
  readonly calls: number;
}

const HARDLY_EVER = '3600000';
const AT_ONCE = 8;
const DATA = Buffer.from('data').toString('base64');
/** What each algorithm becomes, and what is done with its keys. */
const SUCCESSORS: Readonly<Record<string, { readonly target: string; readonly use: 'sign' | 'encrypt' | null }>> = {
  Ed25519: { target: 'dilithium-3', use: 'sign' },
  'ECDSA-P256': { target: 'dilithium-3', use: 'sign' },
  'ECDSA-P384': { target: 'dilithium-3', use: 'sign' },
  'RSA-2048': { target: 'dilithium-3', use: 'sign' },
  'AES-128-GCM': { target: 'aes-256-gcm', use: 'encrypt' },
  'AES-256-GCM': { target: 'aes-256-gcm', use: 'encrypt' },
  X25519: { target: 'x25519', use: null },
};
/** Those that a migration leaves as they are. */
const STAYING = new Set(['AES-256-GCM', 'X25519']);

interface Made {
  readonly keyId: string;
  readonly algorithm: string;
  /** What its first version made. */
  readonly earlier: string;
}

/**
 * Moves the keys of a tenant to post-quantum algorithms, on a node that is killed in the middle, while another one serves calls that use
 * them: what their first versions made, and make new ones. No call may fail, and each key gets one version.
 */
export async function migrateUnderLoad(numbers: KeyNumbers): Promise<MigrationFigures> {
  const database = await createDatabase();
  const sql = postgres(database.url, { max: 1 });
  const kms = await startKms({
    databaseUrl: database.url,
    nodes: 2,
    timeoutMs: 30_000,
    env: { KMS_JOB_INTERVAL_MS: HARDLY_EVER },
  });
  try {
    const made = await makeKeys(kms, numbers);
    const ending = new AbortController();
    const load = Promise.all(Array.from({ length: 2 }, () => useKeys(kms, made, ending.signal)));
    load.catch(() => ending.abort());
    const since = performance.now();
    const { status, body } = await kms.call({
      method: 'POST',
      path: '/kms/v1/migrations',
      body: { target: 'quantum-safe' },
    });
    expect(status).toBe(200);
    const { migrationId } = body['migration'] as { readonly migrationId: string };
    // Only this node works on it, so it is the one that is killed in the middle of it.
    await kms.kill9(1);
    await kms.start(1, { KMS_JOB_INTERVAL_MS: '1000' });
    const moving = made.filter(({ algorithm }) => !STAYING.has(algorithm)).length;
    await waitUntil(kms, migrationId, ending.signal, ({ keys }) => keys.upgraded >= moving / 3);
    await kms.kill9(1);
    await kms.start(1);
    const ended = await waitUntil(kms, migrationId, ending.signal, ({ state }) => state !== 'running');
    const migratedInSeconds = (performance.now() - since) / 1000;
    ending.abort();
    const calls = (await load).reduce((sum, each) => sum + each, 0);
    const agreement = numbers['X25519'] ?? 0;
    expect(ended).toMatchObject({
      state: 'completed',
      keys: {
        total: made.length,
        examined: made.length,
        upgraded: moving,
        unchanged: numbers['AES-256-GCM'] ?? 0,
        waiting: 0,
        refused: agreement === 0 ? {} : { 'no-successor': agreement },
      },
    });
    const rows = await sql<{ algorithm: string; versions: number; count: number }[]>`
      select k.algorithm, v.versions, count(*)::int as count from kms.keys k
      join (select key_id, count(*)::int as versions from kms.key_versions group by key_id) v using (key_id)
      where k.tenant_id = ${kms.tenantId} group by 1, 2`;
    const expected = new Map<string, number>();
    for (const { algorithm } of made) {
      const name = `${SUCCESSORS[algorithm]?.target} ${STAYING.has(algorithm) ? 1 : 2}`;
      expected.set(name, (expected.get(name) ?? 0) + 1);
    }
    expect(new Map(rows.map((row) => [`${row.algorithm} ${row.versions}`, row.count]))).toEqual(expected);
    for (const key of made.slice(0, 200)) await useEarlier(kms, key);
    return { keys: made.length, migratedInSeconds, calls };
  } finally {
    await sql.end();
    await kms.stop();
    await database.drop();
  }
}

interface Progress {
  readonly state: string;
  readonly keys: { readonly upgraded: number };
}

async function waitUntil(
  kms: KmsOnPostgres,
  migrationId: string,
  signal: AbortSignal,
  isThere: (progress: Progress) => boolean,
): Promise<Progress> {
  for (;;) {
    const { body } = await kms.call({ method: 'GET', path: `/kms/v1/migrations/${migrationId}` });
    // As the contract has it.
    const progress = body as unknown as Progress;
    if (isThere(progress)) return progress;
    // A load that failed ends the wait.
    await sleep(200, undefined, { signal });
  }
}

async function makeKeys(kms: KmsOnPostgres, numbers: KeyNumbers): Promise<readonly Made[]> {
  const wanted = Object.entries(numbers).flatMap(([algorithm, count]) =>
    Array.from({ length: count }, () => algorithm),
  );
  const made: Made[] = [];
  const rest = wanted.values();
  const work = async () => {
    for (const algorithm of rest) {
      const use = SUCCESSORS[algorithm]?.use ?? null;
      const purpose = use === 'sign' ? { purpose: 'sign' } : {};
      const created = await kms.call({ method: 'POST', path: '/kms/v1/keys', body: { algorithm, ...purpose } });
      expect(created.status, JSON.stringify(created.body)).toBe(201);
      const keyId = String(created.body['keyId']);
      made.push({ keyId, algorithm, earlier: use === null ? '' : await protect(kms, keyId, use) });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return made;
}

async function protect(kms: KmsOnPostgres, keyId: string, use: 'sign' | 'encrypt'): Promise<string> {
  const body = use === 'sign' ? { data: DATA } : { plaintext: DATA };
  const answer = await kms.call({ method: 'POST', path: `/kms/v1/keys/${keyId}/${use}`, body });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return String(answer.body[use === 'sign' ? 'signature' : 'ciphertext']);
}

async function useEarlier(kms: KmsOnPostgres, { keyId, algorithm, earlier }: Made): Promise<void> {
  const use = SUCCESSORS[algorithm]?.use ?? null;
  if (use === null) return;
  const [path, body, member, value] =
    use === 'sign'
      ? (['verify', { data: DATA, signature: earlier }, 'valid', true] as const)
      : (['decrypt', { ciphertext: earlier }, 'plaintext', DATA] as const);
  const answer = await kms.call({ method: 'POST', path: `/kms/v1/keys/${keyId}/${path}`, body });
  expect(answer.body[member], JSON.stringify(answer.body)).toBe(value);
}

/** Uses keys at random until the signal, and counts the calls. */
async function useKeys(kms: KmsOnPostgres, made: readonly Made[], signal: AbortSignal): Promise<number> {
  let calls = 0;
  while (!signal.aborted) {
    const key = made[Math.floor(Math.random() * made.length)];
    const use = key && SUCCESSORS[key.algorithm]?.use;
    if (!key || !use) continue;
    await useEarlier(kms, key);
    await protect(kms, key.keyId, use);
    calls += 2;
    await sleep(5);
  }
  return calls;
}
