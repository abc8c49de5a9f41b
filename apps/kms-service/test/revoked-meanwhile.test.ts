import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LocalService, send, startLocalService } from './local-service.ts';

const DATA = Buffer.from('data').toString('base64');

let local: LocalService;
beforeAll(async () => {
  local = await startLocalService();
});
afterAll(() => local.end());

async function newToken(): Promise<{ readonly token: string; revoke(): Promise<void> }> {
  const { body } = await local.call('POST', '/kms/v1/tokens', { name: 'short', role: 'key_user' });
  return {
    token: String(body['token']),
    revoke: async () => {
      expect((await local.call('POST', `/kms/v1/tokens/${String(body['tokenId'])}/revoke`)).status).toBe(200);
    },
  };
}

async function newKey(algorithm: string): Promise<string> {
  const key = await local.call('POST', '/kms/v1/keys', { algorithm });
  return `/kms/v1/keys/${String(key.body['keyId'])}`;
}

describe('a token that is revoked', () => {
  /** Sends the headers of a request, lets something happen, and then sends its body. */
  async function sendInTwoParts(path: string, token: string, meanwhile: () => Promise<void>): Promise<string> {
    const body = JSON.stringify({ plaintext: DATA });
    const socket = connect(local.service.port, '127.0.0.1');
    await once(socket, 'connect');
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.write(
      `POST ${path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n`,
    );
    await sleep(300);
    await meanwhile();
    socket.write(body);
    await once(socket, 'close');
    return text;
  }

  // One is served on the fast path, the other by the router.
  test.each(['encrypt', 'encrypt?'])('does not finish a request that waits for its body: /%s', async (action) => {
    const path = `${await newKey('aes-256-gcm')}/${action}`;
    const { token, revoke } = await newToken();
    expect(await sendInTwoParts(path, token, async () => undefined)).toMatch(/^HTTP\/1.1 200 /);
    expect(await sendInTwoParts(path, token, revoke)).toMatch(/^HTTP\/1.1 401 /);
  });

  test('does not finish a batch', async () => {
    // Signatures that take their time.
    const path = await newKey('slh-dsa-sha2-128s');
    const { token, revoke } = await newToken();
    const items = Array.from({ length: 24 }, () => ({ message: DATA }));
    const answer = send(`${local.service.baseUrl}${path}/sign`, 'POST', token, { items });
    await sleep(150);
    await revoke();
    const { status, body } = await answer;
    expect(status).toBe(200);
    // The answers of what was done before it was revoked; then nothing more was done.
    expect((body['items'] as object[]).at(-1)).toMatchObject({ error: { code: 'UNAUTHORIZED' } });
  });
});
