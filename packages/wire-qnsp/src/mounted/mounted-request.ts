import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';

/** What the edge reads of a request of Node.js. */
type ReadOfRequest = Pick<IncomingMessage, 'method' | 'url' | 'headers' | 'complete'> & {
  /** Who is at its end, and whether that is gone. */
  readonly socket: Pick<IncomingMessage['socket'], 'remoteAddress' | 'destroyed'> & {
    once(event: 'close', listener: () => void): unknown;
  };
};

/** The connection of a request that came by none of Node.js, or by one that nobody knows. */
class MountedSocket extends EventEmitter {
  readonly remoteAddress = undefined;
  destroyed: boolean;

  constructor(signal: AbortSignal) {
    super();
    this.destroyed = signal.aborted;
    signal.addEventListener(
      'abort',
      () => {
        this.destroyed = true;
        this.emit('close');
      },
      { once: true },
    );
  }
}

/** A request of the Fetch API in the form of one of Node.js. */
export class MountedRequest extends Readable implements ReadOfRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly socket: ReadOfRequest['socket'];
  complete = false;
  readonly #body: () => ReadableStream<Uint8Array> | null;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;

  /**
   * @param body asked for once, when the body is to be read
   * @param node by which the request came
   */
  constructor(
    { method, headers, signal }: Request,
    url: string,
    body: () => ReadableStream<Uint8Array> | null,
    node: IncomingMessage | undefined,
  ) {
    super();
    this.method = method;
    this.url = url;
    this.headers = Object.fromEntries(headers);
    this.socket = node?.socket ?? new MountedSocket(signal);
    this.#body = body;
  }

  override _read(): void {
    void this.#pull();
  }

  /** As of a request of Node.js, an error that nobody listens to ends it and no more. */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    done(this.listenerCount('error') === 0 ? null : error);
  }

  async #pull(): Promise<void> {
    try {
      this.#reader ??= this.#body()?.getReader();
      const next = await this.#reader?.read();
      if (next?.value !== undefined) this.push(next.value);
      else {
        this.complete = true;
        this.push(null);
      }
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error('The body could not be read.', { cause: error }));
    }
  }
}
