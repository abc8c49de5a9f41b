import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { connect as connectByTls } from 'node:tls';
import { type Dialects, makeHttpServer, type TlsSettings } from '@qnsp/http-edge';
import { edgeUnderTest, HTTP_LIMITS, ParsedRequests } from '@qnsp/http-edge/testing';
import { makeAuthority, tempDir } from '@qnsp/test-harness';
import { qnsp } from '../dialects.ts';

const LIMITS = {
  ...HTTP_LIMITS,
  requestTimeoutMs: 20_000,
  headersTimeoutMs: 20_000,
  maxConnections: 1000,
  shutdownTimeoutMs: 1000,
};
/** Turns of the event loop within which all is done that what came leads to: nothing in these servers waits for a disk or a timer. */
const TURNS = 4;
/** How long a server that does not read on, or does not close, is waited for. */
const MOST_TURNS = 400;
const CLOSE_MS = 5000;

/** What a client sends, and how: each piece once the one before has come and been dealt with. */
export interface Conversation {
  readonly pieces: readonly Buffer[];
  /** Whether the client ends its half after that, or hears what there is to hear and goes. */
  readonly ends: boolean;
}

/** What a conversation leads to. */
interface Outcome {
  /** All that was answered, without what differs from one time to the next. */
  readonly answers: string;
  readonly closedByServer: boolean;
  readonly lines: readonly string[];
  readonly events: readonly string[];
  readonly marks: readonly string[];
}

/** A server that is spoken to by single pieces. */
interface Way {
  converse(conversation: Conversation): Promise<Outcome>;
  /** How many requests `node:http` has parsed. */
  parsed(): number;
}

/** The same service twice: read by `node:http` alone, and past it where that is possible. */
export interface TwoWays {
  readonly plain: Way;
  readonly direct: Way;
  readonly token: string;
  readonly keyId: string;
  stop(): Promise<void>;
}

/** @param dialects what is spoken on both */
export async function twoWays(secure: boolean, dialects: Dialects = [qnsp.dialect]): Promise<TwoWays> {
  const under = await edgeUnderTest();
  const directory = tempDir('qnsp-two-ways-');
  const authority = makeAuthority(directory.path, 'authority');
  const { certificate, key } = authority.issue('kms');
  const identity = { certificate: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') };
  const tls: TlsSettings | undefined = secure ? { identity, minVersion: 'TLSv1.3', groups: 'X25519' } : undefined;
  const stops: (() => Promise<unknown>)[] = [];

  const listen = async (socketFastPath: boolean): Promise<Way> => {
    const lines: string[] = [];
    const events: string[] = [];
    const marks: string[] = [];
    const note = (fields: object, msg: string) => lines.push(JSON.stringify({ ...fields, msg }));
    const { server, stop } = makeHttpServer(
      {
        ...under.edge,
        logs: { log: { error: note, warn: note }, access: (fields) => lines.push(JSON.stringify(fields)) },
        metrics: {
          observe: (wire, operation, status) => marks.push(`${wire} ${operation} ${status}`),
        },
        trail: { requireRoom: () => undefined, record: async (event) => void events.push(JSON.stringify(event)) },
      },
      dialects,
      { ...LIMITS, tls, socketFastPath },
    );
    const parsed = new ParsedRequests(server);
    const path = join(directory.path, socketFastPath ? 'direct' : 'plain');
    server.listen(path);
    await once(server, 'listening');
    stops.push(async () => {
      parsed.stop();
      await stop();
    });
    return {
      parsed: () => parsed.count,
      converse: async (conversation) => {
        for (const list of [lines, events, marks]) list.length = 0;
        const heard = await converse(
          server,
          path,
          secure ? readFileSync(authority.certificate, 'utf8') : undefined,
          conversation,
        );
        const known = [under.keyId, under.tenantId];
        return {
          answers: steady(heard.answers, known),
          closedByServer: heard.closedByServer,
          // Items of a batch, and requests that come together, are done in any order.
          lines: lines.map((line) => steady(line, known)).sort(),
          events: events.map((event) => steady(event, known)).sort(),
          marks: [...marks].sort(),
        };
      },
    };
  };
  const plain = await listen(false);
  const direct = await listen(true);
  const { token, keyId } = under;
  const stop = async () => {
    for (const each of stops) await each();
    await directory.remove();
  };
  return { plain, direct, token, keyId, stop };
}

async function converse(
  server: Server,
  path: string,
  ca: string | undefined,
  { pieces, ends }: Conversation,
): Promise<{ readonly answers: string; readonly closedByServer: boolean }> {
  const met = once(server, 'connection');
  const raw = connect({ path, allowHalfOpen: true });
  const client =
    ca === undefined ? raw : connectByTls({ socket: raw, ca, servername: 'localhost', allowHalfOpen: true } as object);
  const chunks: Buffer[] = [];
  let closedByServer = false;
  client.on('data', (chunk: Buffer) => chunks.push(chunk));
  client.on('end', () => {
    closedByServer = true;
    client.end();
  });
  // A connection that is cut with something unread is one that was closed.
  for (const end of new Set([raw, client]))
    end.on('error', () => {
      closedByServer = true;
      raw.destroy();
    });
  const [accepted] = (await met) as [Socket];
  if (ca !== undefined) await once(client, 'secureConnect');
  await settle(raw, accepted);
  for (const piece of pieces) {
    if (closedByServer || !client.writable) break;
    client.write(piece);
    await settle(raw, accepted);
  }
  const closed = closing(client);
  if (ends && client.writable) client.end();
  if (ends) {
    const late = setTimeout(() => client.destroy(), CLOSE_MS);
    await closed;
    clearTimeout(late);
  } else {
    await settle(raw, accepted);
    client.destroy();
  }
  // What a connection leaves behind when it closes is of this conversation, and not of the next one.
  await closing(accepted);
  for (let turn = 0; turn < TURNS; turn += 1) await setImmediate();
  return { answers: Buffer.concat(chunks).toString('latin1'), closedByServer };
}

/** When a connection is closed, with or without an error. */
async function closing(socket: Socket): Promise<void> {
  if (socket.closed) return;
  await new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
  });
}

/** Waits until the server has read all that was sent and has dealt with it. */
async function settle(raw: Socket, accepted: Socket): Promise<void> {
  for (let turn = 0; turn < MOST_TURNS; turn += 1) {
    await setImmediate();
    if (accepted.destroyed || accepted.bytesRead >= raw.bytesWritten) break;
  }
  for (let turn = 0; turn < TURNS; turn += 1) await setImmediate();
}

/** A text without dates, ids, durations and what encryption makes anew, each of them by a word instead. */
function steady(text: string, known: readonly string[]): string {
  return text
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replaceAll(/^Date: .*$/gm, 'Date: <time>')
    .replaceAll(/"durationMs":[\d.]+/g, '"durationMs":<time>')
    .replaceAll(/"ciphertext":"([^"]*)"/g, (_all, sealed: string) => `"ciphertext":<${sealed.length}>`)
    .replaceAll(/[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}/g, (id) => (known.includes(id) ? id : '<id>'));
}
