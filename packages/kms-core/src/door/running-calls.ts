import { KmsError } from '../errors/kms-error.ts';

/** The calls that run, so that none begins when no more are taken and the end waits for those that began. */
export class RunningCalls {
  #running = 0;
  #closed: PromiseWithResolvers<void> | undefined;
  #refusal: string | undefined;

  /**
   * Runs a call.
   *
   * @throws KmsError `SEALED` with the reason when nothing is served any more.
   */
  async run<T>(call: () => T | Promise<T>): Promise<T> {
    this.requireServing();
    this.#running += 1;
    try {
      return await call();
    } finally {
      this.#running -= 1;
      if (this.#running === 0) this.#closed?.resolve();
    }
  }

  /** Throws `SEALED` with the reason when nothing is served any more. Can be handed on by itself. */
  readonly requireServing = (): void => {
    if (this.#refusal !== undefined) throw new KmsError('SEALED', this.#refusal);
  };

  /** Takes no more calls. The first reason stands. */
  refuse(reason: string): void {
    this.#refusal ??= reason;
  }

  /** Why no calls are taken; `undefined` as long as they are. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  /** Takes no more calls, and ends when those that run have ended. */
  async close(): Promise<void> {
    this.refuse('The KMS was closed.');
    if (this.#closed === undefined) {
      this.#closed = Promise.withResolvers();
      if (this.#running === 0) this.#closed.resolve();
    }
    await this.#closed.promise;
  }
}
