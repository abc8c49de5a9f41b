import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** One TCP connection on which requests are sent as bytes and answers are read by HTTP/1.1's rules of framing. */
export class RawConnection {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  #ended: Error | undefined;
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    const end = (error?: Error) => {
      this.#ended ??= error ?? new Error('The other side closed the connection');
      this.#wake();
    };
    socket.on('error', end);
    socket.on('close', () => end());
  }

  static open(port: number): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      socket.setNoDelay(true);
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new RawConnection(socket));
      });
    });
  }

  /** Writes, and waits until the bytes are handed to the system, so that two writes are two packets. */
  write(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(text, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Reads one answer; with `interim`, also one of the kind 1xx, which has no body. */
  async read(interim = false): Promise<RawAnswer> {
    const head = (await this.#take(() => this.#received.indexOf('\r\n\r\n') + 4, 4)).toString('latin1');
    const [statusLine = '', ...lines] = head.trimEnd().split('\r\n');
    const status = Number(statusLine.split(' ')[1]);
    const headers = new Headers(
      lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
    );
    if (status < 200) return interim ? { status, headers, text: '' } : this.read();
    return { status, headers, text: (await this.#body(headers)).toString('utf8') };
  }

  close(): void {
    this.#socket.destroy();
  }

  async #body(headers: Headers): Promise<Buffer> {
    if (headers.get('transfer-encoding') !== 'chunked') return this.#bytes(Number(headers.get('content-length') ?? 0));
    const chunks: Buffer[] = [];
    for (;;) {
      const line = await this.#take(() => this.#received.indexOf('\r\n') + 2, 2);
      const length = Number.parseInt(line.toString('latin1'), 16);
      const chunk = await this.#bytes(length + 2);
      if (length === 0) return Buffer.concat(chunks);
      chunks.push(chunk.subarray(0, length));
    }
  }

  #bytes(length: number): Promise<Buffer> {
    return this.#take(() => (this.#received.length >= length ? length : 0), length === 0 ? 0 : 1);
  }

  /** Takes the bytes up to where `end` says, once that is at least `least`. */
  async #take(end: () => number, least: number): Promise<Buffer> {
    for (let length = end(); ; length = end()) {
      if (length >= least) {
        const taken = this.#received.subarray(0, length);
        this.#received = this.#received.subarray(length);
        return taken;
      }
      if (this.#ended !== undefined) throw this.#ended;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
