import type { Algorithm } from '../algorithms/registry.ts';
import { algorithmById } from '../algorithms/resolve.ts';
import type { KeyEngine } from '../engines/engine.ts';
import { makeHeader } from '../envelope/header.ts';
import { isQueued } from '../engines/queued-engine.ts';
import { softwareEngine } from '../engines/software-engine.ts';
import { loadMaterial } from '../engines/software-material.ts';
import { KmsError } from '../errors/kms-error.ts';
import type { MasterKeyChain } from '../hierarchy/master-key-chain.ts';
import type { KeyRecord, KeyVersionRecord } from '../model/key.ts';
import type { JsonValue } from '../model/metadata.ts';
import { cipherOf, type VersionCipher } from '../model/version-cipher.ts';
import type { ResidentKeyProvider } from '../ports/resident-keys.ts';
import type { NotedVersion } from './key-uses.ts';

/** A key whose record was read and authenticated. */
export interface LoadedKey {
  readonly record: KeyRecord;
  /** One of its versions by its number, the same one each time; `undefined` where it has none of that number. */
  version(version: number): LoadedVersion | undefined;
}

/** A version of a loaded key, with what follows from its record. */
export interface LoadedVersion extends NotedVersion {
  readonly record: KeyVersionRecord;
  readonly algorithm: Algorithm;
  readonly cipher: VersionCipher;
  /** What its ciphertexts begin with; absent where it makes none. */
  readonly header: Uint8Array | undefined;
  /** Whether work of its engine is to wait for its turn; what an HSM does waits there. */
  readonly isQueued: boolean;
  /** Its engine: made when it is first asked for, then the same one. */
  engine(): KeyEngine;
}

/**
 * A key under the master keys that its record is authentic under. Key material is held only inside Node's key objects.
 *
 * @param resident the HSMs in which versions may live
 */
export function loadedKey(
  record: KeyRecord,
  chain: MasterKeyChain,
  resident: readonly ResidentKeyProvider[],
): LoadedKey {
  const versions = new Map<number, LoadedVersion>();
  return {
    record,
    version: (number) => {
      const held = versions.get(number);
      if (held !== undefined) return held;
      const version = record.versions.find((candidate) => candidate.version === number);
      if (version === undefined) return undefined;
      const loaded = loadedVersion(record, version, () => engineOf(record, version, chain, resident));
      versions.set(number, loaded);
      return loaded;
    },
  };
}

function loadedVersion({ keyId }: KeyRecord, version: KeyVersionRecord, makeEngine: () => KeyEngine): LoadedVersion {
  const cipher = cipherOf(version);
  const algorithm = algorithmById(version.algorithm);
  let made: KeyEngine | undefined;
  return {
    record: version,
    algorithm,
    isQueued: version.material.kind !== 'resident' && isQueued(algorithm),
    noted: {},
    cipher,
    header: cipher.suite === undefined ? undefined : makeHeader(cipher.suite, keyId, version.version),
    engine: () => {
      made ??= makeEngine();
      return made;
    },
  };
}

function engineOf(
  record: KeyRecord,
  version: KeyVersionRecord,
  chain: MasterKeyChain,
  resident: readonly ResidentKeyProvider[],
): KeyEngine {
  if (version.material.kind === 'resident') {
    const provider = resident.find((candidate) => candidate.id === version.provider);
    if (provider === undefined)
      throw new KmsError('HSM_UNAVAILABLE', `The HSM ${version.provider} that holds the key is not configured.`, {
        retryAfterSeconds: 60,
      });
    return provider.engine(
      algorithmById(version.algorithm),
      version.material.handle,
      version.publicKey,
      record.tenantId,
    );
  }
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

// What a process grows by for each key that it holds, measured in bytes with `process.memoryUsage()`: for a record with one
// AES key 8,000 to 10,000; for key pairs more, above all for what OpenSSL expands a lattice key to.
const RECORD_BYTES = 4000;
const VERSION_BYTES = 5000;
const PAIR_BYTES = 4000;
const PER_SEALED_BYTE = 4;
const PER_PUBLIC_BYTE = 20;

/** Roughly what a loaded key takes in memory once all of its versions are unsealed. */
export function bytesOfKey({ record }: Pick<LoadedKey, 'record'>): number {
  let bytes = RECORD_BYTES + bytesOfMembers(record.metadata) + bytesOfMembers(record.fields);
  for (const { material, publicKey, fields } of record.versions) {
    bytes += VERSION_BYTES + bytesOfMembers(fields);
    if (material.kind === 'sealed') bytes += PER_SEALED_BYTE * material.sealed.length;
    if (publicKey !== null) bytes += PAIR_BYTES + PER_PUBLIC_BYTE * publicKey.length;
  }
  if (record.policy !== null) bytes += 8 * JSON.stringify(record.policy).length;
  return bytes;
}

/** Roughly what the members of an object take in memory. */
function bytesOfMembers(members: Readonly<Record<string, JsonValue>>): number {
  let bytes = 0;
  for (const [name, member] of Object.entries(members)) bytes += 2 * name.length + 64 + bytesOfJson(member);
  return bytes;
}

/** Roughly what a value takes in memory. */
function bytesOfJson(value: JsonValue): number {
  if (typeof value === 'string') return 2 * value.length;
  if (typeof value !== 'object' || value === null) return 8;
  return 64 + bytesOfMembers(Object.fromEntries(Object.entries(value)));
}
