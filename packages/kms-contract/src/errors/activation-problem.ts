import type { KmsErrorCode } from '@qnsp/kms-core';
import { z } from 'zod';
import { ERROR_STATUS, type Failure } from './errors.ts';
import { component } from '../fields/wire-schema.ts';

/** The shape of an error of the activation handshake, which its clients expect instead of a problem. */
export const activationProblemSchema = component(
  'ActivationProblem',
  z.object({
    activated: z.literal(false),
    error: z
      .string()
      .describe('A human-readable explanation of what went wrong and what to do; published clients show it.'),
    message: z.string().describe('The same as `error`.'),
    code: z
      .string()
      .describe('`INVALID_API_KEY`, `ACCOUNT_SUSPENDED`, `RATE_LIMITED`, `SERVICE_UNAVAILABLE`, or `BAD_REQUEST`.'),
  }),
);

/** Why a client could not be activated, as published clients know it. */
export type ActivationErrorCode =
  | 'INVALID_API_KEY'
  | 'ACCOUNT_SUSPENDED'
  | 'RATE_LIMITED'
  | 'SERVICE_UNAVAILABLE'
  | 'BAD_REQUEST';

/** The answer to a client that could not be activated, in the shape that published clients expect. */
export interface ActivationFailure {
  readonly status: number;
  readonly body: {
    readonly activated: false;
    readonly error: string;
    readonly message: string;
    readonly code: ActivationErrorCode;
  };
}

/** An error in the shape of the activation handshake, with its HTTP status. */
export function activationProblem({ code: kmsCode, message }: Failure): ActivationFailure {
  const code = activationCode(kmsCode);
  const status = code === 'SERVICE_UNAVAILABLE' ? 503 : ERROR_STATUS[kmsCode];
  return { status, body: { activated: false, error: message, message, code } };
}

function activationCode(code: KmsErrorCode): ActivationErrorCode {
  const status = ERROR_STATUS[code];
  if (status === 401) return 'INVALID_API_KEY';
  if (status === 403) return 'ACCOUNT_SUSPENDED';
  if (status === 429) return 'RATE_LIMITED';
  return status >= 500 ? 'SERVICE_UNAVAILABLE' : 'BAD_REQUEST';
}
