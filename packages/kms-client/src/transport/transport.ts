import type { CallOptions } from '../base/call-options.ts';
import { invalidArgument, KmsClientError, requireKnown } from '../errors/kms-client-error.ts';
import type { Operation } from '../generated/operations.ts';
import { MalformedAnswer } from '../wire/decode-answer.ts';
import type { EncodedCall } from '../wire/encode-call.ts';
import { randomId } from '../wire/random-id.ts';
import { connectionFailure } from './connection-failure.ts';
import type { Credential } from './credential.ts';
import { type RetryPolicy, withRetries } from './retry.ts';
import { type Attempt, send, sendForBody } from './send.ts';
import { withTimeLimit } from './time-limit.ts';

/** How calls reach the service. */
export interface TransportSettings {
  readonly baseUrl: string;
  readonly credential: Credential;
  readonly fetch: typeof fetch;
  readonly timeoutMs: number;
  readonly retry: RetryPolicy;
  /** Headers of every call. */
  readonly headers: Readonly<Record<string, string>>;
}

const CALL_OPTIONS = ['signal', 'timeoutMs', 'deadlineMs', 'attempts', 'idempotencyKey', 'requestId', 'headers'];
const SENSITIVE_HEADERS = ['authorization', 'idempotency-key', 'if-match', 'x-request-id', 'content-type'];
/** Headers of a caller that messages may repeat. */
const OPEN_HEADERS = ['x-qnsp-tenant', 'traceparent', 'tracestate', 'user-agent'];
const SECRET_LENGTH = 8;

/**
 * Makes a call with all its attempts and decodes its answer. A change has one idempotency key for all attempts, so that it
 * happens once; what changes nothing may be repeated anyway.
 */
export async function call<T>(
  settings: TransportSettings,
  operation: Operation,
  encoded: EncodedCall,
  options: CallOptions,
  decode: (answer: unknown) => T,
): Promise<T> {
  const requestId = options.requestId ?? randomId();
  return attempts(settings, operation, encoded, { ...options, requestId }, async (attempt) =>
    decodeOrRefuse(await send(operation, attempt), requestId, decode),
  );
}

/**
 * Makes a call whose answer is a text of any length, and gives its bytes as they come. It is called again only until the answer begins;
 * from then on each piece may take as long as an attempt. Throws {@link KmsClientError}, `UNREACHABLE` for an answer that breaks off.
 */
export async function* stream(
  settings: TransportSettings,
  operation: Operation,
  encoded: EncodedCall,
  options: CallOptions,
): AsyncGenerator<Uint8Array, void, void> {
  const { timeoutMs = settings.timeoutMs, signal, requestId = randomId() } = options;
  const body = await attempts(settings, operation, encoded, { ...options, requestId }, (attempt) =>
    sendForBody(operation, attempt),
  );
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await withTimeLimit(timeoutMs, signal, requestId, () =>
        reader.read().catch((error: unknown) => {
          throw connectionFailure(error, requestId);
        }),
      );
      if (done) return;
      yield value;
    }
  } finally {
    // What has ended is not cancelled by this; of what has failed nobody wants to hear again.
    void reader.cancel().catch(() => undefined);
  }
}

async function attempts<T>(
  settings: TransportSettings,
  operation: Operation,
  encoded: EncodedCall,
  options: CallOptions & { readonly requestId: string },
  exchange: (attempt: Attempt) => Promise<T>,
): Promise<T> {
  requireKnown(options, CALL_OPTIONS, 'A call');
  const { requestId } = options;
  const { timeoutMs = settings.timeoutMs, signal } = options;
  const policy = {
    ...settings.retry,
    attempts: positive('attempts', options.attempts ?? settings.retry.attempts),
    deadlineMs: positive('deadlineMs', options.deadlineMs ?? settings.retry.deadlineMs),
  };
  positive('timeoutMs', timeoutMs);
  const headers = headersOf(settings, operation, encoded, options, requestId);
  const secretHeaders = secretWords({ ...settings.headers, ...options.headers });
  return withRetries(policy, signal, (remainingMs) =>
    withTimeLimit(Math.min(timeoutMs, remainingMs), signal, requestId, async (limit) => {
      const attempt = async (refresh: boolean) => {
        const authorization = operation.open === true ? undefined : await settings.credential.header({ refresh });
        return exchange({
          fetch: settings.fetch,
          url: settings.baseUrl + encoded.target,
          method: encoded.method,
          headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) },
          body: encoded.body,
          signal: limit,
          requestId,
          secrets: [...credentialWords(authorization), ...secretHeaders, ...encoded.payloads],
        });
      };
      try {
        return await attempt(false);
      } catch (error) {
        const isRefused = error instanceof KmsClientError && error.statusCode === 401;
        if (!isRefused || !settings.credential.renews || operation.open === true) throw error;
        return attempt(true);
      }
    }),
  );
}

/**
 * The words of an `Authorization` header except for the name of its scheme, and their parts, such as those of `Digest`.
 */
function credentialWords(authorization = ''): readonly string[] {
  const [first, ...others] = authorization.split(' ');
  const words = others.length > 0 || first === undefined ? others : [first];
  return [...words, ...longParts(words.join(' '))];
}

/** What may be secret in the caller's own headers, except for headers that name things. */
function secretWords(headers: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(headers)
    .filter(([name]) => !OPEN_HEADERS.includes(name.toLowerCase()))
    .flatMap(([, value]) => longParts(value));
}

/**
 * What stands between list and parameter separators and is too long to be guessed, or to occur in a message by chance.
 */
function longParts(value: string): readonly string[] {
  return value.split(/[\s;,="]+/).filter((part) => part.length >= SECRET_LENGTH);
}

function headersOf(
  settings: TransportSettings,
  operation: Operation,
  encoded: EncodedCall,
  options: CallOptions,
  requestId: string,
): Readonly<Record<string, string>> {
  const { ifRevision, body } = encoded;
  return {
    ...checkHeaders(settings.headers),
    ...checkHeaders(options.headers ?? {}),
    accept: 'application/json',
    'x-request-id': token('requestId', requestId),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(ifRevision === undefined ? {} : { 'if-match': `"${ifRevision}"` }),
    ...(operation.mutating === true
      ? { 'idempotency-key': token('idempotencyKey', options.idempotencyKey ?? randomId()) }
      : {}),
  };
}

function checkHeaders(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const entries = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
  for (const [name, value] of entries) {
    if (SENSITIVE_HEADERS.includes(name)) throw invalidArgument(`The header ${name} has its own option.`);
    if (!/^[\w-]+$/.test(name) || !/^[\x20-\x7e]*$/.test(value))
      throw invalidArgument(
        'A header must have a name of letters, digits and "-", and a value of visible ASCII characters.',
      );
  }
  return Object.fromEntries(entries);
}

function token(option: string, value: string): string {
  if (/^[\x21-\x7e]{1,255}$/.test(value)) return value;
  throw invalidArgument(`${option} must be 1 to 255 visible ASCII characters.`);
}

export function positive(option: string, value: number): number {
  if (Number.isFinite(value) && value > 0) return value;
  throw invalidArgument(`${option} must be a number above 0.`);
}

function decodeOrRefuse<T>(answer: unknown, requestId: string, decode: (answer: unknown) => T): T {
  try {
    return decode(answer);
  } catch (error) {
    if (!(error instanceof MalformedAnswer)) throw error;
    throw new KmsClientError(
      'UNEXPECTED_ANSWER',
      `The answer ${error.message}. Check that baseUrl leads to the service, and that it is not older than this client.`,
      { requestId },
    );
  }
}
