import { KmsClientError } from '../errors/kms-client-error.ts';
import type { Operation } from '../generated/operations.ts';
import { connectionFailure, plainTextFailure } from './connection-failure.ts';
import { errorOf } from './problem.ts';
import { parseJson, readText } from './read-body.ts';
import { parseRetryAfter } from './retry.ts';

/** One attempt at a call. */
export interface Attempt {
  readonly fetch: typeof fetch;
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly signal: AbortSignal;
  readonly requestId: string;
  /** What no error may repeat. */
  readonly secrets: readonly string[];
}

/** Sends a request and reads its answer: JSON, or text where the operation has it. Throws {@link KmsClientError}. */
export async function send(operation: Operation, attempt: Attempt): Promise<unknown> {
  const { response, text } = await exchange(attempt);
  return answerIn(operation, attempt, response, text);
}

/** Sends a request and leaves its answer, a text of any length, to be read. Throws {@link KmsClientError}. */
export async function sendForBody(operation: Operation, attempt: Attempt): Promise<ReadableStream<Uint8Array>> {
  const response = await sent(attempt);
  // Node's types leave open what a body is made of; the standard says bytes.
  if (response.ok && response.body !== null) return response.body as ReadableStream<Uint8Array>;
  const text = await readText(response).catch((error: unknown) => {
    throw connectionFailure(error, attempt.requestId);
  });
  answerIn(operation, attempt, response, text);
  throw new KmsClientError('UNEXPECTED_ANSWER', 'The answer is empty. Check that baseUrl leads to the service.', {
    requestId: attempt.requestId,
  });
}

function answerIn(operation: Operation, attempt: Attempt, response: Response, text: string | undefined): unknown {
  const { status: statusCode } = response;
  const { requestId } = attempt;
  // Browsers hide a redirect that is not followed: the type says what it was, and the status is 0.
  if (response.type === 'opaqueredirect' || (statusCode >= 300 && statusCode < 400))
    throw new KmsClientError(
      'REDIRECTED',
      'The answer is a redirect, which is not followed: it would send the credential elsewhere. Set baseUrl to where the service is.',
      { statusCode, requestId },
    );
  const isText = operation.answer === 'text';
  const json = text !== undefined && isJson(response) ? parseJson(text) : undefined;
  const isAnswer = response.ok || (operation.otherStatuses?.includes(statusCode) ?? false);
  // A gateway may be unable to reach the service and say so with the same status, but not with an answer of the
  // service.
  if (!isAnswer || (!response.ok && (json === undefined || hasCode(json)))) {
    const plain = json === undefined ? plainTextFailure(attempt.url, statusCode, text, requestId) : undefined;
    if (plain !== undefined) throw plain;
    const retryAfterSeconds = parseRetryAfter(response.headers.get('retry-after'), Date.now());
    throw errorOf(json, { statusCode, requestId, retryAfterSeconds, secrets: attempt.secrets });
  }
  const answer = isText ? text : json;
  if (answer === undefined)
    throw new KmsClientError('UNEXPECTED_ANSWER', 'The answer is not JSON. Check that baseUrl leads to the service.', {
      statusCode,
      requestId,
    });
  return answer;
}

async function exchange(attempt: Attempt): Promise<{
  readonly response: Response;
  readonly text: string | undefined;
}> {
  const response = await sent(attempt);
  try {
    // Read to its end, so that the connection is used again.
    return { response, text: await readText(response) };
  } catch (error) {
    attempt.signal.throwIfAborted();
    throw connectionFailure(error, attempt.requestId);
  }
}

async function sent({ fetch, url, signal, requestId, method, headers, body }: Attempt): Promise<Response> {
  try {
    // 'manual', not 'error', which workers don't have.
    return await fetch(url, {
      method,
      headers: { ...headers },
      redirect: 'manual',
      signal,
      ...(body === undefined ? {} : { body }),
    });
  } catch (error) {
    signal.throwIfAborted();
    throw connectionFailure(error, requestId);
  }
}

function isJson(response: Response): boolean {
  return /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(response.headers.get('content-type') ?? '');
}

function hasCode(json: unknown): boolean {
  return typeof json === 'object' && json !== null && 'code' in json;
}
