import { KmsClientError } from '../errors/kms-client-error.ts';

const MAX_MESSAGE = 1000;
const CODE = /^[A-Z][A-Z0-9_]{1,63}$/;
const REQUEST_ID = /^[\w.:-]{1,128}$/;
/** Statuses of gateways, and of a service that may recover soon. */
const PASSING = [408, 425, 429, 502, 503, 504];

/** What is known about the answer that holds a problem. */
export interface Answered {
  readonly statusCode: number;
  readonly requestId: string | undefined;
  readonly retryAfterSeconds?: number | undefined;
  /** What was sent and must not be repeated: the credential and the payloads. */
  readonly secrets: readonly string[];
}

/**
 * The error that an answer stands for. Its message is the service's, unless it repeats something secret, as an error
 * page may, or the answer is not from the service.
 */
export function errorOf(json: unknown, answered: Answered): KmsClientError {
  const { statusCode, retryAfterSeconds } = answered;
  const retryable = PASSING.includes(statusCode);
  const problem = typeof json === 'object' && json !== null ? (json as Readonly<Record<string, unknown>>) : {};
  const { code, message, details, requestId } = problem;
  const facts = {
    statusCode,
    retryable,
    retryAfterSeconds,
    requestId:
      typeof requestId === 'string' && REQUEST_ID.test(requestId) && !repeats(requestId, answered.secrets)
        ? requestId
        : answered.requestId,
  };
  if (typeof code !== 'string' || !CODE.test(code) || typeof message !== 'string')
    return new KmsClientError(
      'UNEXPECTED_ANSWER',
      `The answer with the status ${statusCode} does not come from the service or its gateway. Check baseUrl and try again.`,
      facts,
    );
  const isObject = typeof details === 'object' && details !== null && !Array.isArray(details);
  if (
    repeats(message, answered.secrets) ||
    (isObject && [...textsIn(details)].some((text) => repeats(text, answered.secrets)))
  )
    return new KmsClientError(code, `The service refused the call: ${code}.`, facts);
  return new KmsClientError(code, message.slice(0, MAX_MESSAGE), {
    ...facts,
    ...(isObject ? { details: details as Readonly<Record<string, unknown>> } : {}),
  });
}

/** What is sent may come back as it is, or in its JSON form. */
function repeats(text: string, secrets: readonly string[]): boolean {
  return secrets.some((secret) => secret !== '' && (text.includes(secret) || text.includes(escaped(secret))));
}

function escaped(secret: string): string {
  return JSON.stringify(secret).slice(1, -1);
}

/** Every name and value in the JSON received, without JSON escapes. */
function* textsIn(value: unknown): Generator<string, void, void> {
  if (typeof value !== 'object' || value === null) return yield String(value);
  for (const [name, part] of Object.entries(value)) {
    yield name;
    yield* textsIn(part);
  }
}
