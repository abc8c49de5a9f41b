import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectByTls } from 'node:tls';

/** Reaches the server and is taken in by it: later than what counts as just now for a credential. */
const PAUSE_MS = 150;

/** What a {@link RawConnection} calls the server. */
export const RAW_HOST = 'kms';

/** How the end of a body is told: by its length, or by its last chunk, which nobody knows before it comes. */
type Framing = 'content-length' | 'chunked';

export interface RawCall {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly framing?: Framing;
}

/** A connection of a client that sends a call in pieces. */
export class RawConnection {
  readonly #socket: Socket;
  readonly #connected: Promise<unknown>;
  /** When the server has ended the connection. */
  readonly closed: Promise<unknown>;

  constructor(port: number, scheme: 'http' | 'https' = 'http') {
    const address = { port, host: '127.0.0.1' };
    this.#socket = scheme === 'https' ? connectByTls(address) : connect(address);
    this.#connected = once(this.#socket, scheme === 'https' ? 'secureConnect' : 'connect');
    this.closed = once(this.#socket, 'close');
  }

  /** Sends the head of a call and the first bytes of its body. Resolves with what sends the others and reads the answer. */
  async begin({ path, headers, body, framing = 'content-length' }: RawCall): Promise<() => Promise<string>> {
    const length =
      framing === 'chunked' ? { 'transfer-encoding': 'chunked' } : { 'content-length': String(body.length) };
    const fields = Object.entries({ host: RAW_HOST, 'content-type': 'application/json', ...headers, ...length });
    const chunk = (text: string) => (framing === 'chunked' ? `${text.length.toString(16)}\r\n${text}\r\n` : text);
    const lines = fields.map(([field, value]) => `${field}: ${value}\r\n`).join('');
    // The pause is one after the head came, however long a handshake takes.
    await this.#connected;
    this.#socket.write(`POST ${path} HTTP/1.1\r\n${lines}\r\n${chunk(body.slice(0, 5))}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    return async () => {
      this.#socket.write(`${chunk(body.slice(5))}${framing === 'chunked' ? '0\r\n\r\n' : ''}`);
      const [answer] = (await once(this.#socket, 'data')) as [Buffer];
      return answer.toString('latin1');
    };
  }

  /** Sends a call, and waits for its whole answer. */
  async ask(call: RawCall): Promise<string> {
    return (await this.begin(call))();
  }

  /** Ends the connection. */
  close(): void {
    this.#socket.destroy();
  }
}
