import { algorithmById } from '../algorithms/resolve.ts';
import type { KeyEngine, MaybePromise } from '../engines/engine.ts';
import { softwareEngine } from '../engines/software-engine.ts';
import { loadMaterial } from '../engines/software-material.ts';
import { KmsError } from '../errors/kms-error.ts';
import type { MasterKeyChain } from '../hierarchy/master-key-chain.ts';
import type { KeyRecord, KeyVersionRecord } from '../model/key.ts';

/** A key whose record was read and authenticated. */
export interface LoadedKey {
  readonly record: KeyRecord;
  /** The engine of one of its versions: made when it is first asked for, then the same one. */
  engine(version: KeyVersionRecord): MaybePromise<KeyEngine>;
}

/** A key under the master keys that its record is authentic under. Key material is held only inside Node's key objects. */
export function loadedKey(record: KeyRecord, chain: MasterKeyChain): LoadedKey {
  const engines = new Map<KeyVersionRecord, KeyEngine>();
  return {
    record,
    engine: (version) => {
      const held = engines.get(version);
      if (held !== undefined) return held;
      const engine = unseal(record, version, chain);
      engines.set(version, engine);
      return engine;
    },
  };
}

function unseal(record: KeyRecord, version: KeyVersionRecord, chain: MasterKeyChain): KeyEngine {
  if (version.material.kind !== 'sealed')
    throw new KmsError('INTERNAL_ERROR', 'The version has no material in this process.');
  const algorithm = algorithmById(version.algorithm);
  const secret = chain.openVersion(record.keyId, version);
  try {
    return softwareEngine(algorithm, loadMaterial(algorithm, secret));
  } finally {
    secret.fill(0);
  }
}

// Measured by `kms-cache/test/key-memory.test.ts`: what records and engines take beyond their own bytes.
const RECORD_BYTES = 2600;
const VERSION_BYTES = 2600;

/** Roughly what a loaded key takes in memory once all of its versions are unsealed. */
export function bytesOfKey({ record }: LoadedKey): number {
  let bytes = RECORD_BYTES;
  for (const { material, publicKey } of record.versions) {
    const secret = material.kind === 'sealed' ? material.sealed.length : 0;
    // Once as it is stored, and twice over as what OpenSSL computes with.
    bytes += VERSION_BYTES + 3 * secret + 3 * (publicKey?.length ?? 0);
  }
  for (const [name, value] of Object.entries(record.metadata)) bytes += 2 * (name.length + value.length) + 64;
  if (record.policy !== null) bytes += 8 * JSON.stringify(record.policy).length;
  return bytes;
}
