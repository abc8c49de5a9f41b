// The public surface for Node.js: envelope encryption of files, at the speed of node:crypto, and connections of its own.
import type { DataKeyService } from '../envelope/data-keys.ts';
import { dataKeysOf, type Envelope, envelopeOf, type EnvelopeOptions } from '../envelope/envelope.ts';
import type { DecryptOptions } from '../envelope/opener.ts';
import type { EncryptOptions } from '../envelope/sealer.ts';
import { requireKnown } from '../errors/kms-client-error.ts';
import { writeAtomically } from './atomic-file.ts';
import { decryptFile } from './decrypt-file.ts';
import { encryptFile, type FilePaths } from './encrypt-file.ts';
import { nodeSegmentCipher } from './node-segment-cipher.ts';

export { createNodeKmsClient, type NodeKmsClientOptions } from './node-client.ts';
export { createNodeFetch, type NodeConnection, tlsOptions } from './node-fetch.ts';
export { type FilePaths, writeAtomically };

const FILE_OPTIONS = ['source', 'destination', 'overwrite', 'signal', 'onProgress', 'keyId', 'context'];

/** Envelope encryption that also does files. */
export interface FileEnvelope extends Envelope {
  /** Encrypts a file of any size in constant memory. */
  encryptFile(options: EncryptOptions & FilePaths): Promise<void>;
  /**
   * Decrypts a file of any size in constant memory. The result appears only once all of it is authentic and nothing is
   * missing.
   */
  decryptFile(options: DecryptOptions & FilePaths): Promise<void>;
}

/**
 * Makes an envelope of a client, for streams and files.
 *
 * @example
 * const files = createFileEnvelope(kms);
 * await files.encryptFile({ source: 'a.tar', destination: 'a.tar.qnsp', keyId });
 */
export function createFileEnvelope(kms: DataKeyService, options: EnvelopeOptions = {}): FileEnvelope {
  const dataKeys = dataKeysOf(kms, options);
  return {
    ...envelopeOf(dataKeys, nodeSegmentCipher),
    async encryptFile(paths) {
      requireKnown(paths, FILE_OPTIONS, 'encryptFile');
      await encryptFile(dataKeys, paths);
    },
    async decryptFile(paths) {
      requireKnown(paths, FILE_OPTIONS, 'decryptFile');
      await decryptFile(dataKeys, paths);
    },
  };
}
