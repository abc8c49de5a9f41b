import { afterEach, expect, test } from 'vitest';
import { createKmsClient } from '../src/index.ts';
import { problem, scriptedServer, type ScriptedServer, type Step } from './scripted-server.ts';

const CYCLONEDX = { 'content-type': 'application/vnd.cyclonedx+json' };
const token = `qnsp_pqc_${'t'.repeat(43)}`;

let server: ScriptedServer | undefined;
afterEach(() => server?.end());

async function clientOf(...steps: readonly Step[]) {
  server = await scriptedServer(...steps);
  return createKmsClient({ baseUrl: server.baseUrl, token, timeoutMs: 1000, retry: { baseDelayMs: 1 } });
}

async function textOf(pieces: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const piece of pieces) text += decoder.decode(piece, { stream: true });
  return text;
}

const whole: Step = (response) => {
  response.writeHead(200, CYCLONEDX);
  response.write('{"a":');
  setTimeout(() => response.end('1}'), 20);
};

test('an answer of any length comes as it is sent', async () => {
  const kms = await clientOf(whole);
  expect(await textOf(kms.streamInventory())).toBe('{"a":1}');
  expect(server?.seen[0]).toMatchObject({
    method: 'GET',
    url: '/kms/v1/inventory/cyclonedx',
    headers: { authorization: `Bearer ${token}` },
  });
});

test('is asked for again until it begins', async () => {
  const kms = await clientOf(problem(503, 'STORE_UNAVAILABLE'), whole);
  expect(await textOf(kms.streamInventory())).toBe('{"a":1}');
  expect(server?.seen).toHaveLength(2);
});

test('fails as other calls do where it is refused', async () => {
  const kms = await clientOf(problem(403, 'FORBIDDEN'));
  await expect(textOf(kms.streamInventory())).rejects.toMatchObject({ code: 'FORBIDDEN', statusCode: 403 });
});

test('that breaks off fails, and is not asked for again', async () => {
  const kms = await clientOf((response) => {
    response.writeHead(200, CYCLONEDX);
    response.write('{"a":');
    setTimeout(() => response.destroy(), 20);
  });
  await expect(textOf(kms.streamInventory())).rejects.toMatchObject({ code: 'UNREACHABLE' });
  expect(server?.seen).toHaveLength(1);
});

test('that does not go on fails, and lets go of its connection', async () => {
  const closed = Promise.withResolvers<void>();
  const kms = await clientOf((response) => {
    response.on('close', () => closed.resolve());
    response.writeHead(200, CYCLONEDX);
    response.write('{"a":');
  });
  await expect(textOf(kms.streamInventory({}, { timeoutMs: 200 }))).rejects.toMatchObject({ code: 'TIMEOUT' });
  await closed.promise;
});

test('that nobody reads to its end lets go of its connection', async () => {
  const closed = Promise.withResolvers<void>();
  const kms = await clientOf((response) => {
    response.on('close', () => closed.resolve());
    response.writeHead(200, CYCLONEDX);
    response.write('{"a":');
  });
  for await (const piece of kms.streamInventory()) {
    expect(piece.length).toBeGreaterThan(0);
    break;
  }
  await closed.promise;
});
