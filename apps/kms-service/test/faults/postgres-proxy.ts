import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** One message of the PostgreSQL wire protocol, version 3. */
export interface WireMessage {
  readonly from: 'service' | 'postgres';
  /** The type byte, as in chapter "Message Formats" of PostgreSQL's documentation; empty for a startup message. */
  readonly type: string;
  /** The first string in it: the statement of a Query, the tag of a CommandComplete. */
  readonly text: string;
  /** Whether its connection is one of the two for notices, on which heartbeats come and go all the time. */
  readonly ofNotices: boolean;
  /** Tells the connections apart. */
  readonly connection: number;
}

/** What becomes of a message: `hold` freezes its connection in both directions, `cut` closes both ends of it. */
type Verdict = 'pass' | 'hold' | 'cut';

export interface PostgresProxy {
  /** The address of the database by way of the proxy. */
  readonly url: string;
  /** Asked for each message; what has been decided on is decided. */
  decide: (message: WireMessage) => Verdict;
  stop(): Promise<void>;
}

const INT32_BYTES = 4;

/** A proxy in front of a PostgreSQL server without TLS, which sees every message on its way. */
export async function startPostgresProxy(databaseUrl: string): Promise<PostgresProxy> {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer({ noDelay: true }, (fromService) => {
    connections += 1;
    const connection = connections;
    const toPostgres = connect({ host: target.hostname, port: Number(target.port), noDelay: true });
    const ends = [fromService, toPostgres];
    let frozen = false;
    let ofNotices = false;
    const cut = (): void => {
      for (const end of ends) {
        end.destroy();
        sockets.delete(end);
      }
    };
    const relay = (from: WireMessage['from'], source: Socket, sink: Socket): void => {
      const messages = messageReader(from);
      source.on('data', (chunk: Buffer) => {
        for (const { message, bytes } of messages(chunk)) {
          if (frozen || sink.destroyed) return;
          if (message.text.startsWith('listen ') || message.text.includes("'mark:'")) ofNotices = true;
          const verdict = proxy.decide({ ...message, ofNotices, connection });
          if (verdict === 'pass') sink.write(bytes);
          else if (verdict === 'hold') frozen = true;
          else cut();
        }
      });
    };
    for (const end of ends) {
      sockets.add(end);
      // A reset is one of the ways in which a connection ends here.
      end.on('error', cut);
      end.on('close', cut);
    }
    relay('service', fromService, toPostgres);
    relay('postgres', toPostgres, fromService);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  // It listens on TCP, so its address is not a path.
  const { port } = server.address() as AddressInfo;
  const url = new URL(databaseUrl);
  url.hostname = '127.0.0.1';
  url.port = String(port);
  const proxy: PostgresProxy = {
    url: url.href,
    decide: () => 'pass',
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
  return proxy;
}

function messageReader(
  from: WireMessage['from'],
): (
  chunk: Buffer,
) => Iterable<{ readonly message: Omit<WireMessage, 'ofNotices' | 'connection'>; readonly bytes: Buffer }> {
  let pending: Buffer = Buffer.alloc(0);
  let started = from === 'postgres';
  return function* read(chunk) {
    pending = Buffer.concat([pending, chunk]);
    for (;;) {
      const typeBytes = started ? 1 : 0;
      if (pending.length < typeBytes + INT32_BYTES) return;
      // The length counts itself, but not the type byte.
      const length = typeBytes + pending.readInt32BE(typeBytes);
      if (pending.length < length) return;
      const bytes = pending.subarray(0, length);
      pending = pending.subarray(length);
      const type = bytes.toString('latin1', 0, typeBytes);
      const [text = ''] = bytes.toString('utf8', typeBytes + INT32_BYTES).split('\0', 1);
      started = true;
      yield { message: { from, type, text }, bytes };
    }
  };
}
