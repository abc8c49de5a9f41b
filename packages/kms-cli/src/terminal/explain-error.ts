import { dirname } from 'node:path';
import { getSystemErrorMessage } from 'node:util';
import { KmsClientError } from '@qnsp/kms-client';
import { CommandError, EXIT } from './exit-codes.ts';

interface Explanation {
  readonly exitCode: number;
  /** What to do about it; if absent, the message of the error says so itself. */
  readonly advice?: string;
}

/** What each code of the service, of a gateway and of the client means for somebody at a command line. */
export const EXPLAINED_CODES: Readonly<Record<string, Explanation>> = {
  BAD_REQUEST: { exitCode: EXIT.usage },
  INVALID_ARGUMENT: { exitCode: EXIT.usage },
  PAYLOAD_TOO_LARGE: { exitCode: EXIT.usage },
  HEADERS_TOO_LARGE: {
    exitCode: EXIT.configuration,
    advice: 'check KMS_TOKEN, and that nothing in between adds headers',
  },
  UNAUTHORIZED: {
    exitCode: EXIT.denied,
    advice: 'check KMS_TOKEN or KMS_TOKEN_FILE, or ask the operator of the service for a new token',
  },
  FORBIDDEN: { exitCode: EXIT.denied, advice: 'use a token whose role or permissions allow it' },
  TENANT_MISMATCH: { exitCode: EXIT.denied, advice: 'use a token of the tenant that it belongs to' },
  NOT_FOUND: { exitCode: EXIT.failed },
  CONFLICT: { exitCode: EXIT.failed, advice: 'look at it again before you retry' },
  IDEMPOTENCY_MISMATCH: { exitCode: EXIT.failed, advice: 'run the command again' },
  // Its message says what to wait for.
  APPROVAL_REQUIRED: { exitCode: EXIT.failed },
  // Its message says both the state and what that forbids, or what to do instead.
  KEY_STATE_INVALID: { exitCode: EXIT.failed },
  KEY_USAGE_EXCEEDED: { exitCode: EXIT.failed, advice: 'use another key' },
  QUOTA_EXCEEDED: { exitCode: EXIT.failed, advice: 'ask the operator of the service for more' },
  TOO_MANY_REQUESTS: { exitCode: EXIT.busy, advice: 'wait and run the command again' },
  DECRYPT_FAILED: { exitCode: EXIT.data, advice: 'check that nothing changed it and that it belongs to this key' },
  INTERNAL_ERROR: { exitCode: EXIT.failed, advice: 'ask the operator of the service: its log says why' },
  METHOD_NOT_ALLOWED: {
    exitCode: EXIT.configuration,
    advice: 'check KMS_URL, and that the service is not older than kms',
  },
  UNSUPPORTED_MEDIA_TYPE: {
    exitCode: EXIT.configuration,
    advice: 'check KMS_URL, and that nothing in between changes requests',
  },
  BAD_GATEWAY: { exitCode: EXIT.unavailable, advice: 'see `kms doctor`, and run the command again later' },
  SERVICE_UNAVAILABLE: { exitCode: EXIT.unavailable, advice: 'see `kms doctor`, and run the command again later' },
  GATEWAY_TIMEOUT: { exitCode: EXIT.unavailable, advice: 'see `kms doctor`, and run the command again later' },
  STORE_UNAVAILABLE: {
    exitCode: EXIT.unavailable,
    advice: 'run the command again later, or `kms doctor` on the host of the service',
  },
  HSM_UNAVAILABLE: {
    exitCode: EXIT.unavailable,
    advice: 'run the command again later, or `kms doctor` on the host of the service',
  },
  AUDIT_UNAVAILABLE: {
    exitCode: EXIT.unavailable,
    advice: 'run the command again when the audit service accepts evidence again',
  },
  SEALED: { exitCode: EXIT.unavailable, advice: 'see `kms doctor` for the reason' },
  UNREACHABLE: { exitCode: EXIT.unavailable, advice: 'see `kms doctor`' },
  TIMEOUT: { exitCode: EXIT.unavailable },
  TLS_FAILED: { exitCode: EXIT.configuration },
  REDIRECTED: { exitCode: EXIT.configuration },
  UNEXPECTED_ANSWER: { exitCode: EXIT.configuration },
  ENVELOPE_INVALID: {
    exitCode: EXIT.data,
    advice: 'give a file written by `kms encrypt` or the client library, unchanged',
  },
  ENVELOPE_UNSUPPORTED: { exitCode: EXIT.data, advice: 'use a newer kms' },
  ENVELOPE_CONTEXT_MISMATCH: { exitCode: EXIT.data },
  ENVELOPE_KEY_MISMATCH: { exitCode: EXIT.data, advice: 'omit --key, or name that key' },
  ENVELOPE_TRUNCATED: { exitCode: EXIT.data, advice: 'get the whole file and try again' },
  ENVELOPE_MODIFIED: { exitCode: EXIT.data, advice: 'get an undamaged copy of the file and try again' },
  DESTINATION_EXISTS: { exitCode: EXIT.output },
};

/** The file system's codes; which file it was is in the error. */
const SYSTEM_CODES: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist: check its name',
  EACCES: 'cannot be opened: check its permissions',
  EPERM: 'cannot be changed: check its permissions',
  EISDIR: 'is a directory: name a file',
  ENOTDIR: 'has a parent that is not a directory: check its name',
  ENOSPC: 'does not fit on the disk: free some space and try again',
  EROFS: 'is on a read-only disk: name another place',
};

/**
 * A foreseen failure, as one sentence that says what to do; `undefined` for any other, which is a bug in this program.
 */
export function explainError(error: unknown): CommandError | undefined {
  if (error instanceof CommandError) return error;
  if (error instanceof KmsClientError) return explainClientError(error);
  return explainSystemError(error);
}

function explainClientError(error: KmsClientError): CommandError {
  if (error.code === 'DESTINATION_EXISTS')
    return new CommandError(
      EXIT.output,
      `${firstSentence(error.message)}: use --force to replace it, or another --out.`,
      { cause: error },
    );
  const { exitCode, advice } = explanationOf(error);
  if (error.code === 'TLS_FAILED')
    return new CommandError(exitCode, inWordsOfTheCommandLine(error.message), { cause: error });
  const text = advice === undefined ? error.message : `${firstSentence(error.message)}: ${advice}.`;
  const request =
    error.statusCode === undefined || error.requestId === undefined
      ? ''
      : ` [${error.code}, request ${error.requestId}]`;
  return new CommandError(exitCode, `${text}${request}`, { cause: error });
}

/** The library speaks of its options, in two sentences. */
function inWordsOfTheCommandLine(message: string): string {
  return message
    .replaceAll('baseUrl', 'KMS_URL')
    .replace('Trust its authority', 'Trust its authority with KMS_CA_FILE')
    .replace('say which one to expect', 'say with KMS_SERVER_NAME which one to expect')
    .replace('Use one that is valid', 'Name one in KMS_CLIENT_CERT_FILE that is valid')
    .replace(/\. ([A-Z])/, (_, first: string) => `: ${first.toLowerCase()}`);
}

function explanationOf({ code, message, retryable, statusCode }: KmsClientError): Explanation {
  // A proxy that cannot reach the service says so in pages of its own.
  if (code === 'UNEXPECTED_ANSWER' && retryable)
    return statusCode === 429
      ? { exitCode: EXIT.busy, advice: 'wait and run the command again' }
      : { exitCode: EXIT.unavailable, advice: 'run the command again later, and check KMS_URL if it persists' };
  const known = EXPLAINED_CODES[code] ?? { exitCode: EXIT.failed };
  const advice = code === 'NOT_FOUND' ? adviceOnAbsence(message) : known.advice;
  return { exitCode: known.exitCode, ...(advice === undefined ? {} : { advice }) };
}

/**
 * One code for anything that does not exist: an id, a path, or a whole part of the deployment, in which case no id is
 * wrong.
 */
function adviceOnAbsence(message: string): string | undefined {
  if (/\bid\b/.test(message)) return 'check the id, and that the token belongs to the right tenant';
  if (/\bpath\b/.test(message)) return 'check KMS_URL, and that the service is not older than kms';
  return undefined;
}

/** The service first says what happened; what to do here differs from what a programmer must do. */
function firstSentence(message: string): string {
  return (/^.*?(?=[.:](?:\s|$))/s.exec(message)?.[0] ?? message).trim();
}

/**
 * An error of the file system as one sentence.
 *
 * @param isOutput whether it is about a result; on its own this is known only for what happens to the file being
 * written.
 */
export function explainSystemError(error: unknown, isOutput = isAboutOutput(error)): CommandError | undefined {
  if (!isSystemError(error)) return undefined;
  const { code, errno, path, syscall } = error;
  if (code === 'ENOENT' && isOutput && path !== undefined)
    return new CommandError(
      EXIT.output,
      `${path} cannot be written: check its name, and that ${dirname(path)} exists.`,
      {
        cause: error,
      },
    );
  const reason = SYSTEM_CODES[code];
  const name = path ?? (isOutput ? `The output (${syscall})` : `The input (${syscall})`);
  if (reason !== undefined)
    return new CommandError(isOutput ? EXIT.output : EXIT.input, `${name} ${reason}.`, { cause: error });
  const verb = isOutput ? 'written' : 'read';
  const text = `${name} cannot be ${verb}: the system says "${getSystemErrorMessage(errno)}" (${code}).`;
  return new CommandError(isOutput ? EXIT.output : EXIT.system, text, { cause: error });
}

interface SystemError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
  readonly path?: string;
  /** The destination: only errors about a result have it. */
  readonly dest?: string;
}

function isSystemError(error: unknown): error is SystemError {
  if (!(error instanceof Error) || !('errno' in error) || !('code' in error) || !('syscall' in error)) return false;
  return typeof error.errno === 'number' && typeof error.code === 'string' && typeof error.syscall === 'string';
}

/** Reading meets none of these. */
const OUTPUT_CODES = ['ENOSPC', 'EROFS', 'EDQUOT', 'EFBIG'];
/** Only for a result is it first checked whether it exists. */
const OUTPUT_CALLS = ['access', 'write', 'fsync', 'rename', 'link', 'unlink', 'close'];

function isAboutOutput(error: unknown): boolean {
  if (!isSystemError(error)) return false;
  const { code, dest, syscall } = error;
  return OUTPUT_CODES.includes(code) || OUTPUT_CALLS.includes(syscall) || dest !== undefined;
}
