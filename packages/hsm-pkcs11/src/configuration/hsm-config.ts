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
  /** Sessions, and so calls at the same time; as {@link HSM_NUMBERS} has it, like the two after it. */
  readonly poolSize?: number;
  /** Calls that may wait for a session before further ones are refused. */
  readonly queueLimit?: number;
  /**
   * How long a call may wait for a session, then for a connection, and how long it may take then.
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

/** The range of each number, and what it is by default. */
export const HSM_NUMBERS = {
  poolSize: { min: 1, max: 64, default: 4 },
  queueLimit: { min: 0, max: 100_000, default: 128 },
  timeoutMs: { min: 10, max: 600_000, default: 5000 },
} as const;

/** What each text has to look like, and how to say so. */
export const HSM_TEXTS = {
  modulePath: { pattern: /^\/./, reason: 'must be the absolute path of a PKCS #11 library' },
  keyId: { pattern: /^([0-9a-f]{2}){1,64}$/i, reason: 'must be 1 to 64 bytes in hexadecimal' },
  id: {
    pattern: /^[a-z0-9][a-z0-9-]{0,62}$/,
    reason: 'must be at most 63 lower-case letters, digits and hyphens',
  },
} as const;

export const DEFAULT_ROOT_LABEL = 'qnsp-kms-root';

/** @throws HsmConfigurationError `value` naming the field. */
export function readHsmConfig(config: HsmConfig): HsmSettings {
  for (const field of ['modulePath', 'keyId', 'id'] as const) {
    const value = config[field];
    if (value !== undefined && !HSM_TEXTS[field].pattern.test(value)) throw wrong(field, HSM_TEXTS[field].reason);
  }
  if (config.pin === '') throw wrong('pin', 'must not be empty');
  const { keyId } = config;
  if (config.label === '') throw wrong('label', 'must not be empty');
  const label = config.label ?? (keyId === undefined ? DEFAULT_ROOT_LABEL : undefined);
  return {
    modulePath: config.modulePath,
    slot: config.slot === undefined ? null : whole('slot', config.slot, 0, Number.MAX_SAFE_INTEGER),
    tokenLabel: config.tokenLabel ?? null,
    pin: config.pin,
    rootId: keyId === undefined ? null : Buffer.from(keyId, 'hex'),
    rootLabel: label ?? null,
    id: config.id ?? 'hsm',
    poolSize: numberOf(config, 'poolSize'),
    queueLimit: numberOf(config, 'queueLimit'),
    timeoutMs: numberOf(config, 'timeoutMs'),
  };
}

function numberOf(config: HsmConfig, field: keyof typeof HSM_NUMBERS): number {
  const { min, max, default: usual } = HSM_NUMBERS[field];
  return whole(field, config[field] ?? usual, min, max);
}

function whole(field: string, value: number, least: number, most: number): number {
  if (!Number.isSafeInteger(value) || value < least || value > most)
    throw wrong(field, `must be a whole number from ${least} to ${most}`);
  return value;
}

function wrong(field: string, reason: string): HsmConfigurationError {
  return new HsmConfigurationError('value', `${field} of the HSM ${reason}.`);
}
