import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { KmsError } from '@qnsp/kms-core';
import { decryptFailed } from '@qnsp/kms-core/internal';
import type { RootProvider } from '@qnsp/kms-core/ports';
import { HsmConfigurationError } from '../configuration/configuration-error.ts';
import { ChildFault } from '../connection/child-connection.ts';
import { hsmUnavailable } from '../connection/hsm-errors.ts';
import type { HsmLink } from '../connection/hsm-link.ts';
import type { DirectCall } from '../connection/token-process.ts';
import { DEFAULT_ROOT_LABEL, type HsmSettings } from '../configuration/hsm-config.ts';
import { CKK, CKM } from '../protocol/cryptoki.ts';
import type { Fault, FoundObject, KeyRef, KeySpec } from '../protocol/messages.ts';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const CHECKSUM_BYTES = 8;
const ROOT_ID_BYTES = 16;
/**
 * 16 bytes, one block. As a counter block of GCM (SP 800-38D, section 6.5) its last four bytes are the counter
 * 1,919,905,652, which a message of 40 bytes never reaches (it uses 1 to 4), and it is not the zero block whose
 * encryption is the hash subkey: what is shown of its encryption says nothing about any wrap.
 */
const CHECK_BLOCK = Buffer.from('qnsp-kms/v1/root', 'ascii');
const CHECK_VALUE_BYTES = 8;

const ROOT_SPEC: KeySpec = { kind: 'secret', keyType: CKK.aes, bytes: KEY_BYTES, usage: ['encrypt', 'decrypt'] };

/**
 * The root key of an HSM: AES-256, made in the token, which never releases it. Wraps with AES-256-GCM as `nonce(12) ‖
 * ciphertext ‖ tag(16)`; the plaintext is `key(32) ‖ SHA-256(key)[0:8]`, so that a bit flipped by the HSM on the way
 * out is detected.
 */
export class HsmRoot implements RootProvider {
  readonly id: string;
  readonly kind = 'hsm';
  readonly #link: HsmLink;
  readonly #settings: HsmSettings;
  /** Once seen, the root is known by its id as well, and by its check value. */
  #bound: { readonly ref: KeyRef; readonly checkValue: string } | null = null;

  constructor(link: HsmLink, settings: HsmSettings) {
    this.id = settings.id;
    this.#link = link;
    this.#settings = settings;
    link.checkEachConnection((call) => this.#checkAgain(call));
  }

  /** Whether the token holds the root that the configuration names. */
  async exists(): Promise<boolean> {
    return (await this.#candidates()).length > 0;
  }

  /** Creates the root. Refuses if there is one. */
  async create(): Promise<void> {
    await this.#checkMechanisms();
    if (await this.exists())
      throw new HsmConfigurationError('root-exists', `The HSM ${this.id} already has a root; none is created.`);
    const id = this.#settings.rootId ?? randomBytes(ROOT_ID_BYTES);
    const label = this.#settings.rootLabel ?? DEFAULT_ROOT_LABEL;
    await this.#link.call({ op: 'generate', mechanism: CKM.aesKeyGen, spec: ROOT_SPEC, id, label, pair: null });
    if (this.#settings.rootId === null && (await this.#candidates()).length > 1) {
      await this.#link.call({ op: 'destroy', id, labelPrefix: label });
      throw new HsmConfigurationError(
        'root-exists',
        `Another root was created in the HSM ${this.id} at the same time; this one was removed again.`,
      );
    }
    await this.checkValue();
  }

  /** Destroys the root, and with it everything that only this root wraps. */
  async destroy(): Promise<void> {
    const { ref } = await this.#binding();
    if (ref.id === null) throw new KmsError('INTERNAL_ERROR', 'The root is not known by its id.');
    await this.#link.call({ op: 'destroy', id: ref.id, labelPrefix: ref.label ?? '' });
    this.#bound = null;
  }

  /**
   * The first 8 bytes of AES-256-ECB of a fixed block under the root, in hexadecimal. Each session asserts the
   * attributes of the root before it uses it for the first time; they cannot be changed afterwards.
   *
   * @throws HsmConfigurationError when the root is missing, ambiguous or weakened.
   */
  async checkValue(): Promise<string> {
    await this.#checkMechanisms();
    const found = await this.#candidates();
    const [root, ...others] = found;
    if (root === undefined) throw this.#missing();
    if (others.length > 0) throw this.#ambiguous(found.map(({ id }) => hex(id)));
    const ref: KeyRef = { ...this.#named(), id: root.id, label: root.label };
    try {
      const checkValue = checkValueOf(await this.#link.call({ op: 'encrypt-block', ref, block: CHECK_BLOCK }));
      this.#bound = { ref, checkValue };
      return checkValue;
    } catch (error) {
      throw this.#asConfiguration(error) ?? error;
    }
  }

  async wrap(key: Uint8Array, aad: Uint8Array): Promise<Uint8Array> {
    if (key.length !== KEY_BYTES) throw new RangeError('a root wraps keys of 32 bytes');
    const plaintext = Buffer.concat([key, checksum(key)]);
    try {
      const { ref } = await this.#binding();
      const nonce = randomBytes(NONCE_BYTES);
      return await this.#call(this.#link.call({ op: 'seal', ref, nonce, aad, plaintext }));
    } finally {
      plaintext.fill(0);
    }
  }

  async unwrap(wrapped: Uint8Array, aad: Uint8Array): Promise<Uint8Array> {
    if (wrapped.length !== NONCE_BYTES + KEY_BYTES + CHECKSUM_BYTES + TAG_BYTES) throw decryptFailed();
    const { ref } = await this.#binding();
    const opened = await this.#call(this.#link.call({ op: 'open', ref, sealed: wrapped, aad }));
    try {
      const key = opened.subarray(0, KEY_BYTES);
      if (!timingSafeEqual(checksum(key), opened.subarray(KEY_BYTES)))
        throw hsmUnavailable(this.id, 'it returned a key that fails its check', 1000);
      return Uint8Array.from(key);
    } finally {
      opened.fill(0);
    }
  }

  /** Runs on each later connection: the token may have been replaced, or its root, while it was away. */
  async #checkAgain(call: DirectCall): Promise<void> {
    if (this.#bound === null) return;
    const { ref, checkValue } = this.#bound;
    const found = checkValueOf(await call({ op: 'encrypt-block', ref, block: CHECK_BLOCK }));
    if (found !== checkValue)
      throw hsmUnavailable(this.id, `its root changed: check value ${found} instead of ${checkValue}`, 30_000);
  }

  async #binding(): Promise<{ readonly ref: KeyRef }> {
    if (this.#bound !== null) return this.#bound;
    await this.#call(this.checkValue());
    if (this.#bound === null) throw new KmsError('INTERNAL_ERROR', 'The root was not bound.');
    return this.#bound;
  }

  /** A root that is gone or changed while the service runs is an HSM that cannot be used, not a missing tenant key. */
  async #call<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      const problem = this.#asConfiguration(error);
      if (problem !== null) throw hsmUnavailable(this.id, problem.message, 30_000, problem);
      throw error;
    }
  }

  async #checkMechanisms(): Promise<void> {
    const mechanisms = await this.#link.mechanisms();
    if (![CKM.aesGcm, CKM.aesEcb, CKM.aesKeyGen].every((needed) => mechanisms.includes(needed)))
      throw new HsmConfigurationError(
        'mechanism',
        `The HSM ${this.id} cannot hold a root: it lacks AES-GCM, AES-ECB or AES key generation.`,
      );
  }

  #candidates(): Promise<readonly FoundObject[]> {
    return this.#link.call({ op: 'find', ref: this.#named() });
  }

  #named(): KeyRef {
    return { ...ROOT_SPEC, id: this.#settings.rootId, label: this.#settings.rootLabel };
  }

  #asConfiguration(error: unknown): HsmConfigurationError | null {
    if (error instanceof HsmConfigurationError) return error;
    const fault: Fault | null = KmsError.is(error) && error.cause instanceof ChildFault ? error.cause.fault : null;
    if (fault?.type === 'not-found') return this.#missing();
    if (fault?.type === 'ambiguous') return this.#ambiguous(fault.ids);
    if (fault?.type !== 'weakened') return null;
    return new HsmConfigurationError(
      'root-weakened',
      `The root of the HSM ${this.id} is refused: ${fault.attribute} must be ${fault.required}. A root is created by this service, in the token, with every attribute set.`,
      { cause: error },
    );
  }

  #missing(): HsmConfigurationError {
    return new HsmConfigurationError('root-not-found', `The HSM ${this.id} holds no AES key with ${this.#wanted()}.`);
  }

  #ambiguous(ids: readonly string[]): HsmConfigurationError {
    return new HsmConfigurationError(
      'root-ambiguous',
      `The HSM ${this.id} holds ${ids.length} keys with ${this.#wanted()}, with the ids ${ids.join(', ')}. Find out which one is the root, name it by its id, and remove the others.`,
    );
  }

  #wanted(): string {
    const { rootId, rootLabel } = this.#settings;
    return [
      ...(rootId === null ? [] : [`the id ${hex(rootId)}`]),
      ...(rootLabel === null ? [] : [`the label "${rootLabel}"`]),
    ].join(' and ');
  }
}

function checkValueOf(encrypted: Uint8Array): string {
  return hex(encrypted.subarray(0, CHECK_VALUE_BYTES));
}

function checksum(key: Uint8Array): Buffer {
  return createHash('sha256').update(key).digest().subarray(0, CHECKSUM_BYTES);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
