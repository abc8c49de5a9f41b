import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { expect, it } from 'vitest';
import { findExecutable } from './executable.ts';
import { startRedis } from './redis-server.ts';

function ask(port: number, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`${command}\r\n`));
    socket.once('error', reject);
    socket.once('data', (reply) => {
      socket.destroy();
      resolve(reply.toString('utf8').trim());
    });
  });
}

it.skipIf(findExecutable('redis-server') === undefined)(
  'serves on its own port, dies by a kill and comes back empty',
  async () => {
    const redis = await startRedis();
    expect(await ask(redis.port, 'SET word kept')).toBe('+OK');
    expect(await ask(redis.port, 'STRLEN word')).toBe(':4');

    const before = redis.pid;
    await redis.kill9();
    expect(existsSync(`/proc/${before}`)).toBe(false);
    await expect(ask(redis.port, 'PING')).rejects.toThrow('ECONNREFUSED');

    await redis.restart();
    expect(await ask(redis.port, 'STRLEN word')).toBe(':0');
    const last = redis.pid;
    await redis.stop();
    expect(existsSync(`/proc/${last}`)).toBe(false);
  },
);
