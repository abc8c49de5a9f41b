import type { KmsErrorCode } from '../generated/errors.ts';

/**
 * Why a call failed: a code of the service, or of this client. A newer service may send codes that are not listed here.
 *
 * - `INVALID_ARGUMENT`: the call or the configuration is wrong; nothing was sent.
 * - `UNREACHABLE`: there was no complete answer: no connection, or one that broke.
 * - `TLS_FAILED`: there is no connection that can be trusted, and trying again does not help; nothing was sent.
 * - `TIMEOUT`: there was no answer in time.
 * - `REDIRECTED`: the answer was a redirect, which is not followed, since it would take the credential elsewhere.
 * - `UNEXPECTED_ANSWER`: what answered does not speak the contract of the service.
 */
export type KmsClientErrorCode =
  | KmsErrorCode
  | 'INVALID_ARGUMENT'
  | 'UNREACHABLE'
  | 'TLS_FAILED'
  | 'TIMEOUT'
  | 'REDIRECTED'
  | 'UNEXPECTED_ANSWER'
  | EnvelopeErrorCode
  | (string & Record<never, never>);

/**
 * What envelope encryption adds.
 *
 * - `ENVELOPE_INVALID`: this is not data of the format.
 * - `ENVELOPE_UNSUPPORTED`: it is of a version that this client does not know.
 * - `ENVELOPE_CONTEXT_MISMATCH`: it was encrypted with another context.
 * - `ENVELOPE_KEY_MISMATCH`: it is under a different key from the one that was asked for.
 * - `ENVELOPE_TRUNCATED`: its end is missing.
 * - `ENVELOPE_MODIFIED`: it was changed, or cut off within a segment.
 * - `DESTINATION_EXISTS`: a file already exists where the result should go.
 */
export type EnvelopeErrorCode =
  | 'ENVELOPE_INVALID'
  | 'ENVELOPE_UNSUPPORTED'
  | 'ENVELOPE_CONTEXT_MISMATCH'
  | 'ENVELOPE_KEY_MISMATCH'
  | 'ENVELOPE_TRUNCATED'
  | 'ENVELOPE_MODIFIED'
  | 'DESTINATION_EXISTS';

export interface KmsClientErrorFacts {
  readonly statusCode?: number | undefined;
  readonly requestId?: string | undefined;
  readonly retryable?: boolean;
  readonly retryAfterSeconds?: number | undefined;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * What every failed call throws. Neither the error nor anything in it holds a credential or a payload. It has no `cause`: the
 * errors of `fetch` quote headers.
 */
export class KmsClientError extends Error {
  override readonly name = 'KmsClientError';
  readonly code: KmsClientErrorCode;
  /** The HTTP status, where there was an answer. */
  readonly statusCode: number | undefined;
  /** Identifies the request in the log of the service. */
  readonly requestId: string | undefined;
  /** Whether the same call may succeed later. The client has then already repeated it as often as allowed. */
  readonly retryable: boolean;
  /** How long the service asked to wait, in seconds. */
  readonly retryAfterSeconds: number | undefined;
  /** Facts about the error; for `BAD_REQUEST` `issues[]` of `path` and `reason`. */
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: KmsClientErrorCode, message: string, facts: KmsClientErrorFacts = {}) {
    super(message);
    this.code = code;
    this.statusCode = facts.statusCode;
    this.requestId = facts.requestId;
    this.retryable = facts.retryable ?? false;
    this.retryAfterSeconds = facts.retryAfterSeconds;
    this.details = facts.details;
  }

  /** What of the error may be logged: neither its cause nor the credential. */
  toJSON(): Readonly<Record<string, unknown>> {
    const { name, code, message, statusCode, requestId, retryable, retryAfterSeconds, details } = this;
    return { name, code, message, statusCode, requestId, retryable, retryAfterSeconds, details };
  }
}

export function invalidArgument(message: string): KmsClientError {
  return new KmsClientError('INVALID_ARGUMENT', message);
}

/** Refuses unknown options, since a misspelt one would silently have no effect. */
export function requireKnown(given: object, known: readonly string[], what: string): void {
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown !== undefined) throw invalidArgument(`${what} has no option ${JSON.stringify(unknown)}.`);
}
