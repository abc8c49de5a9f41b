import { randomBytes } from 'node:crypto';
import { type Algorithm, KmsError, type TenantId } from '@qnsp/kms-core';
import { ALGORITHMS } from '@qnsp/kms-core/algorithms';
import type { KeyEngine } from '@qnsp/kms-core/engines';
import { HEADER_BYTES } from '@qnsp/kms-core/internal';
import {
  badRequest,
  NothingLeft,
  type ResidentKey,
  type ResidentKeyName,
  type ResidentKeyProvider,
  type ResidentObject,
} from '@qnsp/kms-core/ports';
import { hasAnswered, hsmUnavailable, wasNeverAsked } from '../connection/hsm-errors.ts';
import type { HsmLink, OwnLink } from '../connection/hsm-link.ts';
import { CKM } from '../protocol/cryptoki.ts';
import type { KeyRef } from '../protocol/messages.ts';
import { hsmAeadEngine } from './aead-engine.ts';
import { hsmMacEngine } from './mac-engine.ts';
import { LABEL_PREFIX, nameOfLabel, newObjectId, objectLabel } from './object-name.ts';
import { OaepSupport } from './oaep-support.ts';
import { hsmPairEngine } from './pair-engine.ts';
import { quirksOf } from '../protocol/quirks.ts';
import { subjectPublicKeyInfo } from './public-key.ts';
import { residentSupport, type ResidentSupport, supports } from './support.ts';

/** Objects examined in one call, so that no call takes long or keeps a session from others. */
const DESCRIBED_AT_ONCE = 16;

/** The keys that live in one HSM. The handle of the port is the CKA_ID of the object. */
export class HsmResidentKeys implements ResidentKeyProvider {
  readonly id: string;
  readonly #link: HsmLink;
  readonly #oaep: OaepSupport;

  constructor(id: string, link: HsmLink) {
    this.id = id;
    this.#link = link;
    this.#oaep = new OaepSupport();
  }

  async algorithms(): Promise<readonly string[]> {
    const mechanisms = await this.#link.mechanisms();
    return ALGORITHMS.filter((algorithm) => {
      const support = residentSupport(algorithm);
      return support !== null && supports(mechanisms, support);
    }).map(({ id }) => id);
  }

  async generate(algorithm: Algorithm, name: ResidentKeyName): Promise<ResidentKey> {
    const { spec, generation: mechanism, pair } = await leavingNothing(this.#supported(algorithm));
    const link = this.#link.of(name.tenantId);
    const label = objectLabel(name);
    const sameName = { op: 'find', ref: { ...spec, id: null, label } } as const;
    if ((await leavingNothing(link.call(sameName))).length > 0) throw new NothingLeft(conflict(name));
    const handle = newObjectId(name);
    try {
      await link.call({ op: 'generate', mechanism, spec, id: handle, label, pair });
    } catch (error) {
      if (wasNeverAsked(error)) throw new NothingLeft(error);
      await this.#remove(handle, error);
      // One that did not answer may still be working on it.
      throw hasAnswered(error) ? new NothingLeft(error) : error;
    }
    try {
      // Another node may have made the same version in the meantime: then neither is kept.
      if ((await link.call(sameName)).length > 1) throw conflict(name);
      const publicKey =
        pair === null ? null : await this.#publicKey(link, algorithm, { keyType: spec.keyType, id: handle, label });
      await this.#tryOut(this.engine(algorithm, handle, publicKey, name.tenantId));
      return { handle, publicKey };
    } catch (error) {
      await this.#remove(handle, error);
      throw KmsError.is(error) ? new NothingLeft(error) : error;
    }
  }

  engine(algorithm: Algorithm, handle: Uint8Array, publicKey: Uint8Array | null, owner?: TenantId): KeyEngine {
    const support = residentSupport(algorithm);
    if (support === null) throw lacking(this.id, algorithm, []);
    const ref: KeyRef = { ...support.spec, id: handle, label: null };
    const link = owner === undefined ? this.#link : this.#link.of(owner);
    if (support.pair === null) {
      const [mechanism] = support.mechanisms;
      return mechanism === CKM.aesGcm ? hsmAeadEngine(link, ref) : hsmMacEngine(this.id, link, ref, mechanism);
    }
    if (publicKey === null)
      throw new KmsError('INTERNAL_ERROR', 'A key pair of an HSM was loaded without its public key.');
    return hsmPairEngine({ hsmId: this.id, link, ref, oaep: this.#oaep }, algorithm, publicKey);
  }

  async destroy(handle: Uint8Array): Promise<void> {
    await this.#link.call({ op: 'destroy', id: handle, labelPrefix: LABEL_PREFIX });
  }

  async list(): Promise<readonly ResidentObject[]> {
    const objects = await this.#link.call({ op: 'objects' });
    const { starts } = this.#link.status();
    const listed = new Map<string, ResidentObject>();
    let described = 0;
    for (let start = 0; start < objects.length; start += DESCRIBED_AT_ONCE) {
      const handles = objects.slice(start, start + DESCRIBED_AT_ONCE);
      const found = await this.#link.call({ op: 'describe', handles });
      described += found.length;
      for (const { id, label } of found) {
        const name = nameOfLabel(label);
        // The halves of a pair have the same id.
        if (name !== null) listed.set(Buffer.from(id).toString('hex'), { name, handle: id });
      }
    }
    // What is gone was destroyed in the meantime, or the token is gone: that shows when it is asked for everything
    // again.
    if (described < objects.length) await this.#link.call({ op: 'objects' });
    // In another process the handles belong to other objects, or to none.
    if (this.#link.status().starts !== starts)
      throw hsmUnavailable(this.id, 'its process was replaced while its objects were listed', 1000);
    return [...listed.values()];
  }

  async #supported(algorithm: Algorithm): Promise<ResidentSupport> {
    const support = residentSupport(algorithm);
    if (support !== null && supports(await this.#link.mechanisms(), support)) return support;
    throw lacking(this.id, algorithm, await this.algorithms());
  }

  async #publicKey(
    link: OwnLink,
    algorithm: Algorithm,
    object: { readonly keyType: number; readonly id: Uint8Array; readonly label: string },
  ): Promise<Uint8Array> {
    const attributes = await link.call({ op: 'public-attributes', ...object });
    return subjectPublicKeyInfo(algorithm, attributes, quirksOf(link.status().token));
  }

  /** The pairwise consistency test of FIPS 140-3 (IG 10.3.A) for pairs; the check of each engine for the others. */
  async #tryOut(engine: KeyEngine): Promise<void> {
    const probe = randomBytes(32);
    await engine.sign?.(probe, {});
    await engine.mac?.(probe);
    if (engine.seal !== undefined && engine.sign === undefined)
      await engine.seal(Buffer.alloc(HEADER_BYTES), Buffer.alloc(4), probe);
  }

  /** Removes what a failed generation left. What cannot be removed now is found by the orphan sweep. */
  async #remove(handle: Uint8Array, reason: unknown): Promise<void> {
    try {
      await this.destroy(handle);
    } catch (error) {
      const what = reason instanceof Error ? reason.message : String(reason);
      throw hsmUnavailable(this.id, `a key could not be finished (${what}), nor removed`, 1000, error);
    }
  }
}

/** For what comes before the HSM is asked to make anything. */
async function leavingNothing<T>(step: Promise<T>): Promise<T> {
  try {
    return await step;
  } catch (error) {
    throw KmsError.is(error) ? new NothingLeft(error) : error;
  }
}

function conflict(name: ResidentKeyName): KmsError {
  return new KmsError('CONFLICT', `The HSM already holds version ${name.version} of key ${name.keyId}.`);
}

function lacking(hsmId: string, algorithm: Algorithm, has: readonly string[]): KmsError {
  return badRequest(
    'algorithm',
    `the HSM ${hsmId} does not support ${algorithm.standardName} keys; it supports ${has.length === 0 ? 'no algorithm of this service' : has.join(', ')}`,
  );
}
