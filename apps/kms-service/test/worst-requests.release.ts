import { readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { lostTime } from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type LocalService, startLocalService } from './local-service.ts';
import { exchange, onlyAnswer } from './wire/exchange.ts';

const MIB = 1024 * 1024;
const HEADERS_MS = 1000;
const REQUEST_MS = 2000;
const CONNECTIONS = 60;
const ANSWER_BYTES = 16 * MIB;
const LIMITED_HEAP = { NODE_OPTIONS: '--max-old-space-size=96' };
let local: LocalService;
let path: string;

async function start(env: Readonly<Record<string, string>>): Promise<void> {
  local = await startLocalService({ ...LIMITED_HEAP, ...env });
  path = `/kms/v1/keys/${String((await local.call('POST', '/kms/v1/keys', {})).body['keyId'])}`;
}

/** How much memory the process took at most while something was done, above what it took before; and the time of its processor. */
async function costOf<T>(
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly mib: number; readonly cpuMs: number }> {
  const directory = `/proc/${local.service.child.pid}`;
  const kib = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`${directory}/status`, 'utf8'))?.[1]);
  const cpuTicks = () => {
    const fields = readFileSync(`${directory}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return Number(fields[11]) + Number(fields[12]);
  };
  writeFileSync(`${directory}/clear_refs`, '5');
  const [before, ticks] = [kib('VmRSS'), cpuTicks()];
  const result = await work();
  return { result, mib: (kib('VmHWM') - before) / 1024, cpuMs: (cpuTicks() - ticks) * 10 };
}

const head = (token: string, target: string, more: string) =>
  `POST ${target} HTTP/1.1\r\nhost: kms\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\n${more}\r\n\r\n`;

/** A chunked request with chunks of this many bytes; those of one byte take six on the wire. */
function inChunks(bytes: number, token: string, target: string, body: string): Buffer {
  const size = `${bytes.toString(16)}\r\n`;
  const each = size.length + bytes + 2;
  const chunks = Buffer.alloc((body.length / bytes) * each);
  for (let at = 0; at < body.length; at += bytes)
    chunks.write(`${size}${body.slice(at, at + bytes)}\r\n`, (at / bytes) * each, 'latin1');
  return Buffer.concat([
    Buffer.from(head(token, target, 'transfer-encoding: chunked\r\nconnection: close')),
    chunks,
    Buffer.from('0\r\n\r\n'),
  ]);
}

async function answerTo(bytes: Buffer | string) {
  const { text, ms } = await exchange(local.service, bytes);
  return { ...onlyAnswer(text), ms };
}

describe('the memory and the time of a body', () => {
  let auditor: string;
  beforeAll(async () => {
    await start({});
    auditor = String((await local.call('POST', '/kms/v1/tokens', { name: 'reads', role: 'auditor' })).body['token']);
  });
  afterAll(() => local.end());

  test.each([
    ['of a caller who may not send it', () => auditor, '/encrypt', 1, 403, 'FORBIDDEN'],
    ['of a caller who may not send it, to a key of the path', () => auditor, 'key', 1, 403, 'FORBIDDEN'],
    ['of a caller who may not send it, to what is no batch', () => auditor, '/keys', 1, 403, 'FORBIDDEN'],
    ['of nobody', () => 'qnsp_pqc_nobody', '/encrypt', 1, 401, 'UNAUTHORIZED'],
    ['in more pieces than anybody needs', () => local.apiToken, '/encrypt', 1, 400, 'BAD_REQUEST'],
    ['above every limit', () => local.apiToken, '/encrypt', 64, 413, 'PAYLOAD_TOO_LARGE'],
    ['above the limit of what is no batch', () => local.apiToken, '/keys', 16, 413, 'PAYLOAD_TOO_LARGE'],
  ])(
    '%s are bounded',
    async (_name, token, target, chunk, status, code) => {
      const to = target === 'key' ? `${path}/encrypt` : `/kms/v1${target}`;
      const bytes = inChunks(chunk, token(), to, ' '.repeat((chunk === 1 ? 2 : 9) * MIB));
      const { result, mib, cpuMs } = await costOf(() => answerTo(bytes));
      expect(result).toMatchObject({ status, body: { code } });
      expect(mib).toBeLessThan(64);
      expect(cpuMs).toBeLessThan(4000);
    },
    600_000,
  );

  test.each([
    ['in chunks of one byte', (body: string) => inChunks(1, local.apiToken, `${path}/encrypt`, body)],
    [
      'in one piece',
      (body: string) =>
        head(local.apiToken, `${path}/encrypt`, `connection: close\r\ncontent-length: ${body.length}`) + body,
    ],
  ])(
    'of the largest one are in the order of its bytes: %s',
    async (_name, framed) => {
      // What a batch may have at most, within the time for a request.
      const item = JSON.stringify({ plaintext: 'A'.repeat(4 * 1024) });
      const count = 24;
      const body = `{"items":[${Array(count).fill(item).join(',')}]}`;
      const { result, mib } = await costOf(() => answerTo(framed(body)));
      expect(result.status).toBe(200);
      expect(result.body['items']).toHaveLength(count);
      expect(mib).toBeLessThan(64);
    },
    600_000,
  );

  test.each([
    ['lists', '{"items":[', '[],'],
    ['objects', '{"items":[', '{},'],
    ['nested lists', '', '['],
    ['nested objects', '', '{"a":'],
    ['numbers', '{"items":[', '1,'],
    ['members', '{', '"a":1,'],
  ])('of 8 MiB of JSON that is nothing but %s are bounded', async (_name, begin, piece) => {
    const body = begin + piece.repeat((8 * MIB - 100) / piece.length);
    const request =
      head(local.apiToken, `${path}/encrypt`, `connection: close\r\ncontent-length: ${body.length}`) + body;
    const { result, mib, cpuMs } = await costOf(() => answerTo(request));
    expect(result).toMatchObject({ status: 400, body: { code: 'BAD_REQUEST' } });
    expect(mib).toBeLessThan(64);
    expect(cpuMs).toBeLessThan(1000);
  });

  test('leave the service as it was', async () => {
    expect((await local.call('POST', `${path}/encrypt`, { plaintext: 'aGk=' })).status).toBe(200);
  });
});

interface Taken {
  readonly ms: number;
  /** What the machine kept of that from test and service. */
  readonly lostMs: number;
}

function stopwatch(): () => Taken {
  const [lost, begun] = [lostTime(local.service.child.pid), performance.now()];
  return () => ({ ms: performance.now() - begun, lostMs: lost() });
}

/** What ending takes besides does not grow with the limit. */
function expectInTime({ ms, lostMs }: Taken, limit: number, leastShare = 0.9): void {
  expect(ms).toBeGreaterThan(limit * leastShare - lostMs);
  expect(ms).toBeLessThan(limit * 1.1 + 650 + lostMs);
}

/** Opens a connection, sends what is given bit by bit, and answers after how long the service ended it. */
function endsAfter(pieces: readonly string[], everyMs = 0): Promise<Taken> {
  return new Promise((resolve, reject) => {
    const socket = connect(local.service.port, '127.0.0.1');
    let taken = stopwatch();
    socket.on('connect', () => {
      void (async () => {
        for (const [index, piece] of pieces.entries()) {
          if (index > 0) await sleep(everyMs);
          if (socket.destroyed) return;
          socket.write(piece);
          if (piece.endsWith('livez HTTP/1.1\r\nhost: kms\r\n\r\n')) {
            await new Promise((answered) => socket.once('data', answered));
            taken = stopwatch();
          }
        }
      })();
    });
    socket.resume();
    socket.on('close', () => resolve(taken()));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'ECONNRESET') reject(error);
    });
  });
}

const answered = () => local.service.logs().split('"operation":"encrypt","status":200').length;
const reasons = () =>
  [...local.service.logs().matchAll(/"reason":"([^"]*)".*"msg":"connection closed"/g)].map(([, reason]) => reason);

/** Asks for an answer of nearly 8 MiB, more than the system takes up, and reads nothing of it. */
async function asksOnly(): Promise<Socket> {
  const item = JSON.stringify({ plaintext: 'A'.repeat(64 * 1024) });
  const body = `{"items":[${Array(120).fill(item).join(',')}]}`;
  const before = answered();
  const socket = connect(local.service.port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.pause();
  socket.write(head(local.apiToken, `${path}/encrypt`, `content-length: ${body.length}`) + body);
  await vi.waitFor(() => expect(answered()).toBeGreaterThan(before), { timeout: 10_000, interval: 10 });
  return socket;
}

describe('a connection', () => {
  beforeAll(() =>
    start({
      KMS_REQUEST_TIMEOUT_MS: String(REQUEST_MS),
      KMS_HEADERS_TIMEOUT_MS: String(HEADERS_MS),
      KMS_MAX_CONNECTIONS: String(CONNECTIONS),
      KMS_MAX_ANSWER_BYTES: String(ANSWER_BYTES),
    }),
  );
  afterAll(() => local.end());

  describe('a request that is sent by half', () => {
    const whole = 'GET /livez HTTP/1.1\r\nhost: kms\r\n\r\n';
    const halfHead = 'POST /kms/v1/keys HTTP/1.1\r\nhost: kms\r\n';
    const halfBody = () => head(local.apiToken, '/kms/v1/keys', 'content-length: 100');
    const hotBody = () => head(local.apiToken, `${path}/encrypt`, 'content-length: 100');
    const openChunk = () => head(local.apiToken, '/kms/v1/keys', 'transfer-encoding: chunked');

    test.concurrent.each([
      ['nothing at all', HEADERS_MS, () => [''], 0],
      ['half a head', HEADERS_MS, () => [halfHead], 0],
      ['a head line by line', HEADERS_MS, () => [halfHead, ...Array<string>(50).fill('x: y\r\n')], 90],
      ['half a body', REQUEST_MS, () => [`${halfBody()}{"na`], 0],
      ['half a body to the fast path', REQUEST_MS, () => [`${hotBody()}{"pl`], 0],
      ['half a chunk', REQUEST_MS, () => [`${openChunk()}50\r\n{"na`], 0],
      ['a body byte by byte', REQUEST_MS, () => [halfBody(), ...Array<string>(80).fill(' ')], 50],
      ['half a head after a request', HEADERS_MS, () => [whole, halfHead], 0],
      ['half a body after a request', REQUEST_MS, () => [whole, `${halfBody()}{"na`], 0],
      ['half a body to the fast path after a request', REQUEST_MS, () => [whole, `${hotBody()}{"pl`], 0],
    ])('of %s is ended within a tenth of its limit of %i ms', async (_name, limit, pieces, everyMs) => {
      expectInTime(await endsAfter(pieces(), everyMs), limit);
    });
  });

  describe('clients that do not read', () => {
    test('are closed when the time for reading is over', async () => {
      const socket = await asksOnly();
      const taken = stopwatch();
      await vi.waitFor(() => expect(reasons()).toEqual(['the answer was not read in time']), {
        timeout: 10_000,
        interval: 20,
      });
      expectInTime(taken(), REQUEST_MS, 0.8);
      socket.destroy();
    });

    test('are closed at once when they go on asking', async () => {
      const socket = connect(local.service.port, '127.0.0.1');
      socket.on('error', () => undefined);
      const closed = new Promise((resolve) => socket.on('close', resolve));
      const slow = head(local.apiToken, '/kms/v1/keys', 'content-length: 2');
      socket.write(`${slow}{}`.repeat(40));
      socket.resume();
      await closed;
      await vi.waitFor(() => expect(reasons()).toContain('too many requests without reading an answer'), {
        timeout: 20_000,
      });
    });

    test('that ask for a few things at once are answered in their order', async () => {
      const request = (more = '') =>
        `GET ${path} HTTP/1.1\r\nhost: kms\r\nauthorization: Bearer ${local.apiToken}\r\n${more}\r\n`;
      const { text } = await exchange(local.service, request().repeat(9) + request('connection: close\r\n'));
      expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(10);
    });
  });

  describe('connections', () => {
    test('are refused above the bound, and taken again below it', async () => {
      const open = await Promise.all(
        Array.from(
          { length: CONNECTIONS + 20 },
          () =>
            new Promise<Socket | undefined>((resolve) => {
              const socket = connect(local.service.port, '127.0.0.1');
              socket.on('error', () => resolve(undefined));
              socket.on('close', () => resolve(undefined));
              socket.write('GET /livez HTTP/1.1\r\nhost: kms\r\n\r\n');
              socket.once('data', () => resolve(socket));
            }),
        ),
      );
      const served = open.filter((socket) => socket !== undefined);
      expect(served.length).toBeLessThanOrEqual(CONNECTIONS);
      expect(served.length).toBeGreaterThan(CONNECTIONS / 2);
      for (const socket of served) socket.destroy();
      await vi.waitFor(
        () => expect(local.service.logs().includes('connections refused: there are as many')).toBe(true),
        {
          timeout: 20_000,
        },
      );
      await vi.waitFor(async () => expect((await local.call('GET', path)).status).toBe(200), { timeout: 20_000 });
    });
  });
});

describe('clients that do not read for long', () => {
  beforeAll(() => start({ KMS_REQUEST_TIMEOUT_MS: '600000', KMS_MAX_ANSWER_BYTES: String(ANSWER_BYTES) }));
  afterAll(() => local.end());

  test('are closed when they take too much memory together', async () => {
    const sockets: Socket[] = [];
    const { mib } = await costOf(async () => {
      for (let opened = 0; opened < 60; opened += 1) sockets.push(await asksOnly());
    });
    for (const socket of sockets) socket.destroy();
    expect(reasons()).toContain('too many unread answers');
    // All answers would be 465 MiB. Beside what waits there is the work on one body, in turns, and what follows within a moment.
    expect(mib).toBeLessThan(ANSWER_BYTES / MIB + 230);
    expect((await local.call('GET', path)).status).toBe(200);
  }, 600_000);
});
