import { createClient, createCluster, createSentinel, defaultReconnectStrategy } from '@keyv/redis';
import type { RedisTarget } from './redis-url.ts';

const CONNECT_LIMIT_MS = 2000;
/** A connection on which nothing arrives for this long is dead: a ping is due in each such period. */
const SILENCE_LIMIT_MS = 5000;
const PING_MS = 2000;

/** A client that keeps trying to connect, and in the meantime fails every request at once. */
export function redisClient(target: RedisTarget, caPem: string | undefined) {
  const { username, password, nodes, database } = target;
  const credentials = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  };
  const timing = {
    connectTimeout: CONNECT_LIMIT_MS,
    socketTimeout: SILENCE_LIMIT_MS,
    reconnectStrategy: defaultReconnectStrategy,
  };
  const socket = target.tls
    ? { ...timing, tls: true as const, ...(caPem === undefined ? {} : { ca: caPem }) }
    : { ...timing };
  const options = { ...credentials, disableOfflineQueue: true, pingInterval: PING_MS, commandsQueueMaxLength: 10_000 };
  const [first = { host: '127.0.0.1', port: 6379 }] = nodes;
  if (target.kind === 'cluster') {
    const rootNodes = nodes.map((node) => ({ socket: { ...socket, ...node } }));
    return createCluster({ rootNodes, defaults: { ...options, socket } });
  }
  if (target.kind === 'sentinel') {
    return createSentinel({
      name: target.master ?? '',
      sentinelRootNodes: [...nodes],
      nodeClientOptions: { ...options, socket },
      sentinelClientOptions: { ...credentials, socket },
    });
  }
  return createClient({ ...options, database, socket: { ...socket, ...first } });
}
