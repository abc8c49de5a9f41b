import { createRequire } from 'node:module';
import type * as pkcs11js from 'pkcs11js';
import type { Fault } from '../protocol/messages.ts';

export type Cryptoki = pkcs11js.PKCS11;
/** A session, an object or a slot, as pkcs11js spells them: the bytes of a CK_ULONG. */
export type Handle = pkcs11js.Handle;
export type Template = pkcs11js.Template;

export class FaultError extends Error {
  readonly fault: Fault;

  constructor(fault: Fault, options?: ErrorOptions) {
    super(`${fault.type}${'message' in fault ? `: ${fault.message}` : ''}`, options);
    this.name = 'FaultError';
    this.fault = fault;
  }
}

/** Loads a PKCS #11 library into this process. */
export function loadModule(modulePath: string): Cryptoki {
  let driver: typeof pkcs11js;
  try {
    // Required, not imported: the native part is missing if nobody built it, and that deserves its own message.
    driver = createRequire(import.meta.url)('pkcs11js') as typeof pkcs11js;
  } catch (cause) {
    throw new FaultError({ type: 'driver', message: messageOf(cause) }, { cause });
  }
  const cryptoki = new driver.PKCS11();
  try {
    cryptoki.load(modulePath);
  } catch (cause) {
    throw new FaultError({ type: 'module', message: messageOf(cause) }, { cause });
  }
  return cryptoki;
}

/**
 * Reads either shape of an error of pkcs11js: `Pkcs11Error` with a `code`, or a plain `Error` whose message is
 * `CKR_SOMETHING:160`.
 */
export function faultOf(error: unknown): Fault {
  if (error instanceof FaultError) return error.fault;
  const message = messageOf(error);
  const written = /\b(CKR_\w+):(\d+)\b/.exec(message);
  if (written?.[1] !== undefined && written[2] !== undefined)
    return { type: 'ckr', code: Number(written[2]), name: written[1] };
  const name = /\bCKR_\w+/.exec(message)?.[0];
  if (error instanceof Error && 'code' in error && typeof error.code === 'number' && name !== undefined)
    return { type: 'ckr', code: error.code, name };
  return { type: 'unexpected', message };
}

/** Whether an error is this CKR_*. */
export function isCkr(error: unknown, ...codes: readonly number[]): boolean {
  const fault = faultOf(error);
  return fault.type === 'ckr' && codes.includes(fault.code);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
