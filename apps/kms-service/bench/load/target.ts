import { type Connection, openConnection } from './connection.ts';

/** Where load goes, over connections that are open already. */
export interface Target {
  /**
   * Sends this many requests, on every connection the next one as soon as the previous one is answered.
   *
   * @param request the same each time, or what makes the next one
   */
  closedLoop(request: Buffer | (() => Buffer), count: number): Promise<void>;
  /** The same for this many milliseconds; returns how long each request took. */
  closedLoopFor(request: Buffer, milliseconds: number): Promise<readonly number[]>;
  /**
   * Sends requests at a steady rate, whatever becomes of those before, and answers how long each took in milliseconds from
   * when it was due: a server that stalls is not spared the requests that wait for it.
   */
  openLoop(request: Buffer, perSecond: number, count: number): Promise<readonly number[]>;
  close(): void;
}

/** Opens that many connections to a port, of this machine if no other host is named. */
export async function openTarget(port: number, connections: number, host = '127.0.0.1'): Promise<Target> {
  let fail: (error: Error) => void = () => undefined;
  const opened = await Promise.all(
    Array.from({ length: connections }, () => openConnection({ host, port }, (error) => fail(error))),
  );
  const run = <T>(start: (done: (value: T) => void, failed: (error: Error) => void) => void): Promise<T> =>
    new Promise((resolve, reject) => {
      fail = reject;
      start(resolve, reject);
    });
  return {
    closedLoop: (request, count) =>
      run((done, failed) => {
        let toSend = count;
        let toCome = count;
        const next = (connection: Connection) => {
          if (toSend === 0) return;
          toSend -= 1;
          connection.send(typeof request === 'function' ? request() : request, (status, body) => {
            if (!isSuccess(status)) failed(unexpected(status, body));
            toCome -= 1;
            if (toCome === 0) done(undefined);
            else next(connection);
          });
        };
        for (const connection of opened) next(connection);
      }),
    closedLoopFor: (request, milliseconds) =>
      run((done, failed) => {
        const end = performance.now() + milliseconds;
        const took: number[] = [];
        let busy = opened.length;
        const next = (connection: Connection) => {
          const sent = performance.now();
          connection.send(request, (status, body) => {
            if (!isSuccess(status)) failed(unexpected(status, body));
            const now = performance.now();
            took.push(now - sent);
            if (now < end) {
              next(connection);
              return;
            }
            busy -= 1;
            if (busy === 0) done(took);
          });
        };
        for (const connection of opened) next(connection);
      }),
    openLoop: (request, perSecond, count) =>
      run((done, failed) => steady(opened, request, perSecond, count, done, failed)),
    close: () => {
      for (const connection of opened) connection.close();
    },
  };
}

function steady(
  connections: readonly Connection[],
  request: Buffer,
  perSecond: number,
  count: number,
  done: (milliseconds: readonly number[]) => void,
  failed: (error: Error) => void,
): void {
  const started = performance.now();
  const dueAt = (index: number) => started + (index * 1000) / perSecond;
  const free = [...connections];
  const took: number[] = [];
  let sent = 0;
  const send = () => {
    const now = performance.now();
    while (sent < count && free.length > 0 && dueAt(sent) <= now) {
      const connection = free.pop();
      if (connection === undefined) return;
      const due = dueAt(sent);
      sent += 1;
      connection.send(request, (status, body) => {
        if (!isSuccess(status)) failed(unexpected(status, body));
        took.push(performance.now() - due);
        free.push(connection);
        if (took.length === count) done(took);
      });
    }
    // A timer is too coarse for what comes every fraction of a millisecond.
    if (sent < count) setImmediate(send);
  };
  send();
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

function unexpected(status: number, body: Buffer): Error {
  return new Error(`the load was answered ${status}: ${body.toString('utf8')}`);
}

/** The bytes of a POST with a JSON body. */
export function postOf(path: string, body: object, token?: string): Buffer {
  const json = JSON.stringify(body);
  return Buffer.from(
    [
      `POST ${path} HTTP/1.1`,
      'host: 127.0.0.1',
      ...(token === undefined ? [] : [`authorization: Bearer ${token}`]),
      'content-type: application/json',
      `content-length: ${Buffer.byteLength(json)}`,
      '',
      json,
    ].join('\r\n'),
  );
}
