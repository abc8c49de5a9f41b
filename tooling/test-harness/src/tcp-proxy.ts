import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Selects connections by the first bytes that their client sent. */
export type ConnectionPick = (firstBytes: Buffer) => boolean;

/** Passes TCP connections on to a server of this machine, and does to them what networks do. */
export interface TcpProxy {
  readonly port: number;
  /**
   * Lets nothing more through, in either direction, on the selected connections, including new ones; nobody is told.
   */
  stall(pick?: ConnectionPick): void;
  /** Lets everything through to the server and nothing back: what it does, its clients do not learn. */
  stallAnswers(): void;
  /** Delays everything for a time, in each direction. */
  delay(ms: number): void;
  /** Lets everything through again, first what was held back. */
  resume(): void;
  /** Resets the selected connections. */
  cut(pick?: ConnectionPick): void;
  /** Directs new connections to another port, and resets the existing ones: the address moves. */
  moveTo(port: number): void;
  stop(): Promise<void>;
}

interface Passing {
  readonly sockets: readonly [Socket, Socket];
  firstBytes: Buffer | undefined;
}

const ALL: ConnectionPick = () => true;
const NONE: ConnectionPick = () => false;

export async function startTcpProxy(firstTargetPort: number): Promise<TcpProxy> {
  let targetPort = firstTargetPort;
  const passing = new Set<Passing>();
  let stalled = NONE;
  let areAnswersStalled = false;
  let delayMs = 0;
  let resumed = Promise.withResolvers<void>();

  const isStalled = ({ firstBytes }: Passing): boolean => firstBytes !== undefined && stalled(firstBytes);

  const pass = (connection: Passing, from: Socket, to: Socket): void => {
    const isHeld = () => isStalled(connection) || (areAnswersStalled && from === connection.sockets[1]);
    let before: Promise<void> = Promise.resolve();
    from.on('data', (chunk: Buffer) => {
      connection.firstBytes ??= chunk;
      const arrivedAt = performance.now();
      const forward = async (): Promise<void> => {
        const wait = arrivedAt + delayMs - performance.now();
        if (wait > 0) await sleep(wait);
        while (isHeld()) await resumed.promise;
        if (!to.destroyed) to.write(chunk);
      };
      before = before.then(forward);
    });
    from.on('close', () => {
      void before.then(() => to.destroy());
    });
    // A reset is a way to end.
    from.on('error', () => undefined);
  };

  const server = createServer((client) => {
    const upstream = connect({ port: targetPort, host: '127.0.0.1', noDelay: true });
    client.setNoDelay(true);
    const connection: Passing = { sockets: [client, upstream], firstBytes: undefined };
    passing.add(connection);
    upstream.on('close', () => passing.delete(connection));
    pass(connection, client, upstream);
    pass(connection, upstream, client);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');

  const cut = (pick: ConnectionPick): void => {
    for (const connection of passing) {
      if (!pick(connection.firstBytes ?? Buffer.alloc(0))) continue;
      for (const socket of connection.sockets) socket.resetAndDestroy();
    }
  };
  const resume = (): void => {
    stalled = NONE;
    areAnswersStalled = false;
    delayMs = 0;
    resumed.resolve();
    resumed = Promise.withResolvers<void>();
  };
  return {
    port: address.port,
    stall: (pick = ALL) => {
      stalled = pick;
    },
    stallAnswers: () => {
      areAnswersStalled = true;
    },
    delay: (ms) => {
      delayMs = ms;
    },
    resume,
    cut: (pick = ALL) => cut(pick),
    moveTo: (port) => {
      targetPort = port;
      cut(ALL);
    },
    async stop() {
      resume();
      cut(ALL);
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}
