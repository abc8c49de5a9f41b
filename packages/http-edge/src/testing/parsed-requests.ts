import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Server } from 'node:http';

const STARTED = 'http.server.request.start';

/** Counts the requests to a server that `node:http` has parsed. */
export class ParsedRequests {
  /** How many so far. */
  count = 0;
  readonly #note: (message: unknown) => void;

  constructor(server: Server) {
    this.#note = (message) => {
      // What Node publishes on this channel.
      if ((message as { readonly server: Server }).server === server) this.count += 1;
    };
    subscribe(STARTED, this.#note);
  }

  /** Counts no more. */
  stop(): void {
    unsubscribe(STARTED, this.#note);
  }
}
