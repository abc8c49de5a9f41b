/** Options of a single call. */
export interface CallOptions {
  /** Aborts the call, and the wait for another attempt. The promise is then rejected with the reason of the signal. */
  readonly signal?: AbortSignal | undefined;
  /** How long one attempt may take, in milliseconds. */
  readonly timeoutMs?: number | undefined;
  /** How long the call may take, including all attempts and the waits between them, in milliseconds. */
  readonly deadlineMs?: number | undefined;
  /** How many times the call is sent at most. */
  readonly attempts?: number | undefined;
  /**
   * Names a change, so that it is made only once however often it is sent, for 24 hours. By default each call of a
   * changing operation gets a random one. Operations that change nothing do not use it.
   */
  readonly idempotencyKey?: string | undefined;
  /**
   * Names the request in the log of the service: 1 to 128 letters, digits, `_`, `.`, `:` or `-`. Default: a random one.
   */
  readonly requestId?: string | undefined;
  /** More headers to send, such as `traceparent`. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}
