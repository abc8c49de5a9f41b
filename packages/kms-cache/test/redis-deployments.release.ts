import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createClient } from '@keyv/redis';
import { openRedisCache, type RedisCache } from '@qnsp/kms-cache';
import { someBytes } from '@qnsp/kms-core/testing';
import { freePort, type RedisServer, startRedis, type TempDir, tempDir } from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

const PASSWORD = 'p@ss/word:1';
const ENCODED = encodeURIComponent(PASSWORD);
/** The rules of the user that docs/operations.md gives to operators. */
const [, RULES = ''] =
  /^ACL SETUSER kms on >password (.*)$/m.exec(
    readFileSync(fileURLToPath(new URL('../../../docs/operations.md', import.meta.url)), 'utf8'),
  ) ?? [];

function open(url: string, caPem?: string): RedisCache {
  return openRedisCache({ url, ttlSeconds: 60, onChange: () => undefined, ...(caPem === undefined ? {} : { caPem }) });
}

/** Puts a value until it is there, as one request after the other would. */
async function expectToKeep(cache: RedisCache, name: string): Promise<void> {
  const bytes = someBytes(100);
  const isKept = async () => {
    cache.put(name, bytes);
    await sleep(20);
    return Buffer.from((await cache.get(name)) ?? []).equals(bytes);
  };
  await expect.poll(isKept, { timeout: 20_000 }).toBe(true);
}

async function expectToFail(cache: RedisCache): Promise<void> {
  await expect.poll(() => cache.get('x').then(() => cache.failures), { timeout: 10_000 }).toBeGreaterThan(2);
  expect(await cache.get('over tls')).toBeUndefined();
  await cache.close();
}

describe('one Redis with TLS and a user of its own for the service', () => {
  let home: TempDir;
  let redis: RedisServer;
  let tlsPort: number;
  const file = (name: string) => join(home.path, name);
  const pem = (name: string) => readFileSync(file(name), 'utf8');

  beforeAll(async () => {
    home = tempDir('qnsp-redis-tls-');
    tlsPort = await freePort();
    const openssl = (command: string) =>
      execFileSync('openssl', command.split(' '), { cwd: home.path, stdio: 'ignore' });
    for (const name of ['ca', 'other'])
      openssl(`req -x509 -newkey ed25519 -nodes -subj /CN=${name} -keyout ${name}.key -out ${name}.pem`);
    openssl(
      'req -newkey ed25519 -nodes -subj /CN=redis -keyout redis.key -out redis.csr -addext subjectAltName=IP:127.0.0.1',
    );
    openssl('x509 -req -in redis.csr -CA ca.pem -CAkey ca.key -copy_extensions copy -out redis.pem');
    const tls = `--tls-port ${tlsPort} --tls-auth-clients no --tls-ca-cert-file ${file('ca.pem')}`;
    const certificate = `--tls-cert-file ${file('redis.pem')} --tls-key-file ${file('redis.key')}`;
    const users = `--user default off --user kms on >${PASSWORD} ${RULES}`;
    redis = await startRedis({ settings: `${tls} ${certificate} ${users}`.split(' ') });
  });
  afterAll(async () => {
    await redis?.stop();
    await home?.remove();
  });

  it('is used with GET, SET and what a connection needs, and nothing else', async () => {
    const cache = open(`rediss://kms:${ENCODED}@127.0.0.1:${tlsPort}/1`, pem('ca.pem'));
    await expectToKeep(cache, 'over tls');
    await cache.close();
  });

  it('is not used when its certificate is of another authority', async () => {
    const cache = open(`rediss://kms:${ENCODED}@127.0.0.1:${tlsPort}/1`, pem('other.pem'));
    await expectToFail(cache);
    expect(cache.connectionFailure).toMatchObject({ code: expect.stringMatching(/CERT|SIGNATURE|ISSUER/) });
  });

  it('is not used with a wrong password', async () => {
    const cache = open(`rediss://kms:wrong@127.0.0.1:${tlsPort}/1`, pem('ca.pem'));
    await expectToFail(cache);
    expect(cache.connectionFailure).toMatchObject({ message: expect.stringMatching(/WRONGPASS/) });
  });
});

describe('a master and a replica under a sentinel', () => {
  let servers: RedisServer[];
  let sentinel: RedisServer;

  beforeAll(async () => {
    const auth = ['--requirepass', PASSWORD, '--masterauth', PASSWORD];
    const master = await startRedis({ settings: auth });
    const replica = await startRedis({ settings: [...auth, '--replicaof', '127.0.0.1', String(master.port)] });
    servers = [master, replica];
    const lines = [
      `sentinel monitor kept 127.0.0.1 ${master.port} 1`,
      `sentinel auth-pass kept ${PASSWORD}`,
      'sentinel down-after-milliseconds kept 1000',
      'sentinel failover-timeout kept 3000',
      `requirepass ${PASSWORD}`,
    ];
    sentinel = await startRedis({ sentinel: `${lines.join('\n')}\n` });
  });
  afterAll(async () => {
    await sentinel?.stop();
    for (const server of servers ?? []) await server.stop();
  });

  it.each([
    ['a wrong password', () => `redis+sentinel://:wrong@127.0.0.1:${sentinel.port}/kept`, /WRONGPASS|NOAUTH|password/i],
    [
      'a name that no sentinel knows',
      () => `redis+sentinel://:${ENCODED}@127.0.0.1:${sentinel.port}/other`,
      /No such master/,
    ],
    ['nobody who answers', () => 'redis+sentinel://127.0.0.1:1/kept', /sentinel|ECONNREFUSED/i],
  ])(
    'says why it is not used in a sentence, and writes nothing by itself: %s',
    { timeout: 600_000 },
    async (_what, url, reason) => {
      const [written, causes]: [unknown[], unknown[]] = [[], []];
      const spies = [
        vi.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(text) > 0),
        vi.spyOn(process.stderr, 'write').mockImplementation((text) => written.push(text) > 0),
      ];
      const cache = openRedisCache({
        url: url(),
        ttlSeconds: 60,
        onChange: (_state, cause) => void causes.push(cause),
      });
      try {
        // Longer than some attempts to connect take.
        await sleep(3500);
        await expect.poll(() => cache.get('x').then(() => causes.length), { timeout: 20_000 }).toBeGreaterThan(0);
      } finally {
        await cache.close();
        for (const spy of spies) spy.mockRestore();
      }
      expect(written).toEqual([]);
      const [cause] = causes;
      expect(cause).toBeInstanceOf(Error);
      expect((cause as Error).message).toMatch(reason);
      expect((cause as Error).message).not.toContain('\n');
    },
  );

  it('is used, and used again after the replica took over', { timeout: 600_000 }, async () => {
    const cache = open(`redis+sentinel://:${ENCODED}@127.0.0.1:${sentinel.port}/kept`);
    await expectToKeep(cache, 'before');
    // The sentinel learns of the replica from the master, which it asks every ten seconds.
    const replicas = async () => {
      const known = await ask(sentinel, 'SENTINEL', 'REPLICAS', 'kept');
      return Array.isArray(known) ? known.length : 0;
    };
    await expect.poll(replicas, { timeout: 20_000 }).toBe(1);
    await servers[0]?.kill9();
    await expectToKeep(cache, 'after');
    await cache.close();
  });
});

describe('a cluster', () => {
  let nodes: RedisServer[];

  beforeAll(async () => {
    const start = async () =>
      startRedis({
        settings: ['--cluster-enabled', 'yes', '--cluster-port', String(await freePort()), '--requirepass', PASSWORD],
      });
    nodes = await Promise.all([start(), start(), start()]);
    const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
    execFileSync('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-yes'], {
      env: { ...process.env, REDISCLI_AUTH: PASSWORD },
      stdio: 'ignore',
    });
  });
  afterAll(async () => {
    for (const node of nodes ?? []) await node.stop();
  });

  it('is used on all of its nodes', { timeout: 600_000 }, async () => {
    const cache = open(`redis+cluster://:${ENCODED}@127.0.0.1:${nodes[0]?.port}`);
    for (let index = 0; index < 30; index += 1) await expectToKeep(cache, `name ${index}`);
    const held = await Promise.all(nodes.map((node) => ask(node, 'DBSIZE')));
    expect(Math.min(...held.map(Number))).toBeGreaterThan(0);
    await cache.close();
  });
});

async function ask(server: RedisServer, ...command: string[]): Promise<unknown> {
  const client = createClient({ url: server.url, password: PASSWORD });
  await client.connect();
  try {
    return await client.sendCommand(command);
  } finally {
    client.destroy();
  }
}
