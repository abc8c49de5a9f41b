import { createClient } from '@keyv/redis';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { type Fleet, isNotices } from './fleet.ts';
import type { Trouble } from './round.ts';

const nothing = async (): Promise<void> => undefined;

const clientOf = (fleet: Fleet) => createClient({ url: fleet.redis.url });

/** Runs commands on the Redis of a fleet. */
async function onRedis<T>(fleet: Fleet, work: (client: ReturnType<typeof clientOf>) => Promise<T>): Promise<T> {
  const client = clientOf(fleet);
  await client.connect();
  try {
    return await work(client);
  } finally {
    client.destroy();
  }
}

function node(fleet: Fleet, index: number) {
  const found = fleet.nodes[index];
  if (found === undefined) throw new Error('the fleet has no such node');
  return found;
}

function poison(): Trouble {
  let old = new Map<string, string>();
  const putBack = (fleet: Fleet) =>
    onRedis(fleet, async (client) => {
      for (const [key, value] of old) await client.set(key, value);
    });
  return {
    name: 'old values are put back into Redis',
    begin: (fleet, { path }) =>
      onRedis(fleet, async (client) => {
        const key = path.replace('/encrypt', '');
        const keyId = key.slice(key.lastIndexOf('/') + 1);
        const isShared = async () => {
          old = new Map();
          for (const name of await client.keys('*')) old.set(name, String(await client.get(name)));
          const found = [...old.keys()].some((name) => name.endsWith(keyId));
          // A node that finds Redis slow leaves it alone for a second; the next one to read the key shares it.
          if (!found) await fleet.call(0, 'PATCH', key, { metadata: { at: String(Date.now()) } });
          return found;
        };
        await expect.poll(isShared, { timeout: 60_000, interval: 200 }).toBe(true);
      }),
    afterChange: async (fleet) => {
      for (let time = 0; time < 5; time += 1) {
        await putBack(fleet);
        await sleep(50);
      }
    },
    end: nothing,
  };
}

/** What nodes say of values that are none of theirs. */
const rejected = (fleet: Fleet) => fleet.metric(/^kms_cache_shared_requests_total\{result="rejected"\} (\d+)/m);
const REJECTED_LINE = 'a value in Redis is not what this service put there';

function garbage(): Trouble {
  const spoil = (fleet: Fleet) =>
    onRedis(fleet, async (client) => {
      for (const key of await client.keys('*')) await client.set(key, 'bm90IGEgcmVjb3Jk');
    });
  return {
    name: 'garbage is put into Redis',
    begin: async (fleet, { path }) => {
      const before = await rejected(fleet);
      // A node that finds Redis slow leaves it alone for a second, so it may take more than one time.
      const findsGarbage = async () => {
        await spoil(fleet);
        await fleet.call(0, 'PATCH', path.replace('/encrypt', ''), { metadata: { at: String(Date.now()) } });
        return rejected(fleet);
      };
      await expect.poll(findsGarbage, { timeout: 60_000, interval: 200 }).toBeGreaterThan(before);
      expect(fleet.nodes.some(({ service }) => service.logs().includes(REJECTED_LINE))).toBe(true);
      await spoil(fleet);
    },
    end: nothing,
  };
}

/** The password of Redis becomes another one, under the connections that nodes have. */
function otherPassword(): Trouble {
  const password = 'another';
  let isSet = false;
  return {
    name: 'Redis takes the password no more',
    begin: async (fleet) => {
      isSet = true;
      await onRedis(fleet, async (client) => {
        await client.sendCommand(['CONFIG', 'SET', 'requirepass', password]);
        await client.sendCommand(['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes']);
      });
    },
    end: async (fleet) => {
      if (!isSet) return;
      isSet = false;
      const client = createClient({ url: fleet.redis.url, password });
      await client.connect();
      await client.sendCommand(['CONFIG', 'SET', 'requirepass', '']);
      client.destroy();
    },
  };
}

/** A new one each time: some remember what they did. */
export function troubles(): readonly Trouble[] {
  return [
    { name: 'none', begin: nothing, end: nothing },
    {
      name: 'Redis is killed',
      begin: (fleet) => fleet.redis.kill9(),
      end: (fleet) => fleet.redis.restart(),
    },
    {
      name: 'Redis is flushed',
      begin: (fleet) => onRedis(fleet, async (client) => void (await client.flushAll())),
      end: nothing,
    },
    poison(),
    garbage(),
    otherPassword(),
    {
      name: 'Redis is slow',
      begin: async (fleet) => fleet.nodes.forEach(({ redis }) => redis.delay(300)),
      end: async (fleet) => fleet.nodes.forEach(({ redis }) => redis.resume()),
    },
    {
      name: 'Redis hangs',
      begin: async (fleet) => fleet.redis.sigstop(),
      end: async (fleet) => fleet.redis.sigcont(),
    },
    {
      name: 'Redis is partitioned away',
      begin: async (fleet) => fleet.nodes.forEach(({ redis }) => redis.stall()),
      end: async (fleet) => fleet.nodes.forEach(({ redis }) => redis.resume()),
    },
    {
      name: 'the notices of two nodes are swallowed',
      begin: async (fleet) => [1, 2].forEach((index) => node(fleet, index).database.stall(isNotices)),
      end: async (fleet) => [1, 2].forEach((index) => node(fleet, index).database.resume()),
    },
    {
      name: 'the connection for notices is cut',
      begin: async (fleet) => node(fleet, 1).database.cut(isNotices),
      end: nothing,
    },
    {
      name: 'a node is halted',
      halted: 2,
      begin: async (fleet) => node(fleet, 2).service.sigstop(),
      end: async (fleet) => node(fleet, 2).service.sigcont(),
    },
    {
      name: 'a node loses its database',
      begin: async (fleet) => node(fleet, 1).database.stall(),
      end: async (fleet) => {
        node(fleet, 1).database.cut();
        node(fleet, 1).database.resume();
      },
    },
  ];
}
