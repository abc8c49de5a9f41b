import { HsmConfigurationError } from './configuration-error.ts';

/** How to reach one token, and which key in it is the root. */
export interface HsmConfig {
  /** The PKCS #11 library, as an absolute path. */
  readonly modulePath: string;
  /** The id of the slot; where no slot has it, an index into the initialised tokens, or else the label of one. */
  readonly slot?: number;
  /** The label of the token; alone, or in addition to `slot`. */
  readonly tokenLabel?: string;
  readonly pin: string;
  /** CKA_ID of the root in hexadecimal. Without it the root is found by its label and must be the only one. */
  readonly keyId?: string;
  /** CKA_LABEL of the root; `qnsp-kms-root` by default when `keyId` is not set either. */
  readonly label?: string;
  /** The name of the provider in wraps and diagnosis; `hsm` by default. */
  readonly id?: string;
  /** Sessions, and so calls at the same time: 1 to 64, 4 by default. */
  readonly poolSize?: number;
  /** Calls that may wait for a session before further ones are refused: 0 to 100,000, 128 by default. */
  readonly queueLimit?: number;
  /**
   * How long a call may wait for a session, then for a connection, and how long it may take then; 5,000 by default.
   * Making a key and looking for all of them may take twelve times as long. A call that takes longer ends the module's process.
   */
  readonly timeoutMs?: number;
}

/** A configuration with every default filled in. */
export interface HsmSettings {
  readonly modulePath: string;
  readonly slot: number | null;
  readonly tokenLabel: string | null;
  readonly pin: string;
  readonly rootId: Uint8Array | null;
  readonly rootLabel: string | null;
  readonly id: string;
  readonly poolSize: number;
  readonly queueLimit: number;
  readonly timeoutMs: number;
}

export const DEFAULT_ROOT_LABEL = 'qnsp-kms-root';

/** @throws HsmConfigurationError `value` naming the field. */
export function readHsmConfig(config: HsmConfig): HsmSettings {
  if (!config.modulePath.startsWith('/')) throw wrong('modulePath', 'must be the absolute path of a PKCS #11 library');
  if (config.pin === '') throw wrong('pin', 'must not be empty');
  const { keyId } = config;
  if (keyId !== undefined && (!/^([0-9a-f]{2})+$/i.test(keyId) || keyId.length > 128))
    throw wrong('keyId', 'must be 1 to 64 bytes in hexadecimal');
  if (config.label === '') throw wrong('label', 'must not be empty');
  if (config.id !== undefined && !/^[a-z0-9][a-z0-9-]{0,62}$/.test(config.id))
    throw wrong('id', 'must be at most 63 lower-case letters, digits and hyphens');
  const label = config.label ?? (keyId === undefined ? DEFAULT_ROOT_LABEL : undefined);
  return {
    modulePath: config.modulePath,
    slot: config.slot === undefined ? null : whole('slot', config.slot, 0, Number.MAX_SAFE_INTEGER),
    tokenLabel: config.tokenLabel ?? null,
    pin: config.pin,
    rootId: keyId === undefined ? null : Buffer.from(keyId, 'hex'),
    rootLabel: label ?? null,
    id: config.id ?? 'hsm',
    poolSize: whole('poolSize', config.poolSize ?? 4, 1, 64),
    queueLimit: whole('queueLimit', config.queueLimit ?? 128, 0, 100_000),
    timeoutMs: whole('timeoutMs', config.timeoutMs ?? 5000, 10, 600_000),
  };
}

function whole(field: string, value: number, least: number, most: number): number {
  if (!Number.isSafeInteger(value) || value < least || value > most)
    throw wrong(field, `must be a whole number from ${least} to ${most}`);
  return value;
}

function wrong(field: string, reason: string): HsmConfigurationError {
  return new HsmConfigurationError('value', `${field} of the HSM ${reason}.`);
}
