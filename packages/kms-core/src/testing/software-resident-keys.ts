import { ALGORITHMS, type Algorithm } from '../algorithms/registry.ts';
import { NONCE_BYTES, openAead, randomNonce, sealAead } from '../engines/aead.ts';
import type { KeyEngine } from '../engines/engine.ts';
import { softwareEngine } from '../engines/software-engine.ts';
import { generateMaterial, type LoadedMaterial, loadMaterial } from '../engines/software-material.ts';
import { HEADER_BYTES } from '../envelope/header.ts';
import { badRequest, KmsError } from '../errors/kms-error.ts';
import {
  NothingLeft,
  type ResidentKeyName,
  type ResidentKeyProvider,
  type ResidentObject,
} from '../ports/resident-keys.ts';

/** An HSM made of software whose failures a test decides. */
export interface SoftwareResidentKeys extends ResidentKeyProvider {
  goAway(): void;
  comeBack(): void;
  /** Takes an object out, as somebody with access to the HSM can. */
  lose(name: ResidentKeyName): void;
  /** Puts an object in that no version knows. */
  plant(name: ResidentKeyName): Promise<void>;
  /** Adds a second object of the same name, as an HSM does that makes it after everybody has stopped waiting for it. */
  plantLate(name: ResidentKeyName): void;
  readonly size: number;
}

const FAMILIES: readonly Algorithm['family'][] = ['aead', 'mac', 'eddsa', 'ecdsa', 'rsa'];
const HELD = ALGORITHMS.filter(
  (row) => FAMILIES.includes(row.family) && row.suite !== 3 && row.form.kind !== 'x-wing' && row.id !== 'aes-128-gcm',
).map((row) => row.id);

interface Held {
  readonly object: ResidentObject;
  readonly material: LoadedMaterial;
}

/**
 * Holds keys as an HSM does: by name, behind an asynchronous engine, with suite 2 for AES.
 *
 * @example
 * import { randomBytes } from 'node:crypto';
 * import { localCaller, openKms, softwareRoot } from '@qnsp/kms-core';
 * import { inMemoryStorage, softwareResidentKeys } from '@qnsp/kms-core/testing';
 * const hsm = softwareResidentKeys('hsm-a');
 * const roots = softwareRoot('test', randomBytes(32));
 * await using kms = await openKms({ storage: inMemoryStorage(), roots, resident: [hsm], alert: () => {} });
 * const ada = kms.as(localCaller({ tenantId: await kms.ensureTenant('shop'), subject: 'ada', role: 'tenant_admin' }));
 * console.log((await ada.createKey({ protectionLevel: 'hsm' })).provider); // hsm-a
 */
export function softwareResidentKeys(id: string): SoftwareResidentKeys {
  const held = new Map<string, Held>();
  let away = false;
  const reach = (): void => {
    if (away) throw new KmsError('HSM_UNAVAILABLE', `The HSM ${id} does not answer.`, { retryAfterSeconds: 1 });
  };
  const find = (handle: Uint8Array): LoadedMaterial => {
    reach();
    const found = held.get(Buffer.from(handle).toString());
    if (found === undefined) throw new KmsError('NOT_FOUND', 'The key is not in the HSM.');
    return found.material;
  };
  const provider: SoftwareResidentKeys = {
    id,
    get size() {
      return held.size;
    },
    goAway: () => {
      away = true;
    },
    comeBack: () => {
      away = false;
    },
    lose: (name) => void held.delete(handleOf(name)),
    plant: async (name) => {
      const [aes] = ALGORITHMS;
      if (aes !== undefined) await provider.generate(aes, name);
    },
    plantLate: (name) => {
      const first = held.get(handleOf(name));
      const handle = Buffer.from(`${handleOf(name)} late`);
      if (first !== undefined) held.set(handle.toString(), { ...first, object: { name, handle } });
    },
    algorithms: async () => {
      reach();
      return HELD;
    },
    generate: async (algorithm, name) => {
      reach();
      if (!HELD.includes(algorithm.id))
        throw new NothingLeft(badRequest('algorithm', `is none that this HSM has: ${HELD.join(', ')}`));
      if (held.has(handleOf(name))) throw new NothingLeft(new KmsError('CONFLICT', 'The HSM has a key of this name.'));
      const { secret, publicKey } = await generateMaterial(algorithm);
      const handle = Buffer.from(handleOf(name));
      held.set(handleOf(name), { object: { name, handle }, material: loadMaterial(algorithm, secret) });
      secret.fill(0);
      return { handle, publicKey };
    },
    engine: (algorithm, handle) => asyncEngine(algorithm, () => find(handle)),
    destroy: async (handle) => {
      reach();
      held.delete(Buffer.from(handle).toString());
    },
    list: async () => {
      reach();
      return [...held.values()].map(({ object }) => object);
    },
  };
  return provider;
}

function handleOf({ keyId, version }: ResidentKeyName): string {
  return `${keyId}/${version}`;
}

function asyncEngine(algorithm: Algorithm, find: () => LoadedMaterial): KeyEngine {
  if (algorithm.family === 'aead') return gcmEngine(find);
  const engine = () => softwareEngine(algorithm, find());
  switch (algorithm.family) {
    case 'mac':
      return {
        mac: async (data) => required(engine().mac)(data),
        verifyMac: async (data, mac) => required(engine().verifyMac)(data, mac),
      };
    case 'rsa':
      return {
        ...signing(engine),
        seal: async (header, context, plaintext) => required(engine().seal)(header, context, plaintext),
        open: async (ciphertext, context) => required(engine().open)(ciphertext, context),
      };
    default:
      return signing(engine);
  }
}

function signing(engine: () => KeyEngine): KeyEngine {
  return {
    sign: async (data, options) => required(engine().sign)(data, options),
    verify: async (data, signature, options) => required(engine().verify)(data, signature, options),
  };
}

function gcmEngine(find: () => LoadedMaterial): KeyEngine {
  return {
    seal: async (header, context, plaintext) => {
      const nonce = randomNonce(NONCE_BYTES);
      return Buffer.concat([
        header,
        nonce,
        ...sealAead('aes-256-gcm', find().key, nonce, [header, context], plaintext),
      ]);
    },
    open: async (ciphertext, context) => {
      const body = ciphertext.subarray(HEADER_BYTES + NONCE_BYTES);
      const nonce = ciphertext.subarray(HEADER_BYTES, HEADER_BYTES + NONCE_BYTES);
      return openAead('aes-256-gcm', find().key, nonce, body, [ciphertext.subarray(0, HEADER_BYTES), context]);
    },
  };
}

function required<T>(method: T | undefined): T {
  if (method === undefined) throw new TypeError('the engine lacks this operation');
  return method;
}
