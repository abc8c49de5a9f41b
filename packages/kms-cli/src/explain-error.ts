import { KmsClientError } from '@qnsp/kms-client';
import { CommandError, EXIT } from './exit-codes.ts';

interface Explanation {
  readonly exitCode: number;
  /** What to do about it; without it the message of the error says so itself. */
  readonly advice?: string;
}

/** What each code of the service and of the client means for somebody at a command line. */
const CODES: Readonly<Record<string, Explanation>> = {
  BAD_REQUEST: { exitCode: EXIT.usage },
  INVALID_ARGUMENT: { exitCode: EXIT.usage },
  PAYLOAD_TOO_LARGE: { exitCode: EXIT.usage },
  UNAUTHORIZED: {
    exitCode: EXIT.denied,
    advice: 'check KMS_TOKEN or KMS_TOKEN_FILE, or ask whoever runs the service for a new token',
  },
  FORBIDDEN: { exitCode: EXIT.denied, advice: 'use a token whose role or permissions allow it' },
  TENANT_MISMATCH: { exitCode: EXIT.denied, advice: 'use a token of the tenant that it belongs to' },
  NOT_FOUND: { exitCode: EXIT.failed, advice: 'check the id, and that the token is of the right tenant' },
  CONFLICT: { exitCode: EXIT.failed, advice: 'look at it again before another try' },
  KEY_STATE_INVALID: { exitCode: EXIT.failed, advice: 'see its state with `kms keys get`' },
  KEY_USAGE_EXCEEDED: { exitCode: EXIT.failed, advice: 'use another key' },
  QUOTA_EXCEEDED: { exitCode: EXIT.failed, advice: 'ask whoever runs the service for more' },
  TOO_MANY_REQUESTS: { exitCode: EXIT.busy, advice: 'wait and run the command again' },
  DECRYPT_FAILED: { exitCode: EXIT.data, advice: 'check that nothing changed it and that it is of this key' },
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
    advice: 'run the command again when the audit service takes evidence again',
  },
  SEALED: { exitCode: EXIT.unavailable, advice: 'see `kms doctor` for the reason' },
  UNREACHABLE: { exitCode: EXIT.unavailable, advice: 'see `kms doctor`' },
  TIMEOUT: { exitCode: EXIT.unavailable },
  REDIRECTED: { exitCode: EXIT.configuration },
  UNEXPECTED_ANSWER: { exitCode: EXIT.configuration },
  ENVELOPE_INVALID: {
    exitCode: EXIT.data,
    advice: 'give a file that `kms encrypt` or the client library wrote, as it was written',
  },
  ENVELOPE_UNSUPPORTED: { exitCode: EXIT.data, advice: 'use a newer kms' },
  ENVELOPE_CONTEXT_MISMATCH: { exitCode: EXIT.data },
  ENVELOPE_KEY_MISMATCH: { exitCode: EXIT.data, advice: 'leave --key away, or name that key' },
  ENVELOPE_TRUNCATED: { exitCode: EXIT.data, advice: 'get the whole file and try again' },
  ENVELOPE_MODIFIED: { exitCode: EXIT.data, advice: 'get an undamaged copy of the file and try again' },
  DESTINATION_EXISTS: { exitCode: EXIT.output },
};

/** The file system's codes; which file it was is in the error. */
const SYSTEM_CODES: Readonly<Record<string, string>> = {
  ENOENT: 'is not there: check its name',
  EACCES: 'may not be opened: check its permissions',
  EPERM: 'may not be changed: check its permissions',
  EISDIR: 'is a directory: name a file',
  ENOTDIR: 'is below something that is not a directory: check its name',
  ENOSPC: 'does not fit on the disk: make room and try again',
  EROFS: 'is on a disk that can only be read: name another place',
};

/** A failure that was foreseen, as one sentence that says what to do; `undefined` for any other, which is a fault of this program. */
export function explainError(error: unknown): CommandError | undefined {
  if (error instanceof CommandError) return error;
  if (error instanceof KmsClientError) return explainClientError(error);
  if (error instanceof Error && 'code' in error) return explainSystemError(error);
  return undefined;
}

function explainClientError(error: KmsClientError): CommandError {
  if (error.code === 'DESTINATION_EXISTS')
    return new CommandError(
      EXIT.output,
      `${firstSentence(error.message)}: give --force to replace it, or another --out.`,
      { cause: error },
    );
  const { exitCode, advice } = CODES[error.code] ?? { exitCode: EXIT.failed };
  const text = advice === undefined ? error.message : `${firstSentence(error.message)}: ${advice}.`;
  const request =
    error.statusCode === undefined || error.requestId === undefined
      ? ''
      : ` [${error.code}, request ${error.requestId}]`;
  return new CommandError(exitCode, `${text}${request}`, { cause: error });
}

/** The service says what happened first; what to do here differs from what a programmer has to do. */
function firstSentence(message: string): string {
  return (/^.*?(?=[.:](?:\s|$))/s.exec(message)?.[0] ?? message).trim();
}

function explainSystemError(error: Error): CommandError | undefined {
  const { code, path, syscall } = error as NodeJS.ErrnoException;
  const reason = SYSTEM_CODES[code ?? ''];
  if (reason === undefined) return undefined;
  const isInput = code !== 'ENOSPC' && code !== 'EROFS' && !(path?.endsWith('.partial') ?? false);
  // What is written goes to a file beside it first, which nobody asked for.
  const name =
    path?.replace(/\.([^/]+)\.[0-9a-f]{12}\.partial$/, '$1') ?? `What was to be written (${syscall ?? 'write'})`;
  return new CommandError(isInput ? EXIT.input : EXIT.output, `${name} ${reason}.`, { cause: error });
}
