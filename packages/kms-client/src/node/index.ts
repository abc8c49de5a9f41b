// The public surface for Node.js: envelope encryption of files, at the speed of node:crypto, and connections of its own.
import type { DataKeyService } from '../envelope/data-keys.ts';
import { dataKeysOf, type Envelope, envelopeOf, type EnvelopeOptions } from '../envelope/envelope.ts';
import type { DecryptOptions } from '../envelope/opener.ts';
import type { EncryptOptions } from '../envelope/sealer.ts';
import { requireKnown } from '../errors/kms-client-error.ts';
import { writeAtomically } from './atomic-file.ts';
import type { ByteSink, ByteSource, FilePaths } from './byte-ends.ts';
import { decryptFile } from './decrypt-file.ts';
import { encryptFile } from './encrypt-file.ts';
import { nodeSegmentCipher } from './node-segment-cipher.ts';

export { createNodeKmsClient, type NodeKmsClientOptions } from './node-client.ts';
export { createNodeFetch, type NodeConnection, tlsOptions } from './node-fetch.ts';
export { type ByteSink, type ByteSource, type FilePaths, writeAtomically };

const FILE_OPTIONS = ['source', 'destination', 'overwrite', 'signal', 'onProgress', 'keyId', 'context'];

/** Envelope encryption that also does files. */
export interface FileEnvelope extends Envelope {
  /** Encrypts a file, or what a source gives, of any size in constant memory. */
  encryptFile(options: EncryptOptions & FilePaths): Promise<void>;
  /**
   * Decrypts a file, or what a source gives, of any size in constant memory. A file appears only once all of it is authentic
   * and nothing is missing. What goes to a sink is authentic.
   */
  decryptFile(options: DecryptOptions & FilePaths): Promise<void>;
}

/**
 * Makes an envelope of a client, for streams and files.
 *
 * @example
 * import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
 * import { tmpdir } from 'node:os';
 * import { join } from 'node:path';
 * import { createKmsClient } from '@qnsp/kms-client';
 * import { createFileEnvelope } from '@qnsp/kms-client/node';
 * const kms = createKmsClient({ baseUrl, token });
 * const { keyId } = await kms.createKey({ name: 'backups' });
 * const directory = await mkdtemp(join(tmpdir(), 'qnsp-example-'));
 * const source = join(directory, 'a.tar');
 * await writeFile(source, 'a large file');
 * const files = createFileEnvelope(kms);
 * await files.encryptFile({ source, destination: `${source}.qnsp`, keyId });
 * await files.decryptFile({ source: `${source}.qnsp`, destination: `${source}.again` });
 * console.log(await readFile(`${source}.again`, 'utf8')); // a large file
 * await rm(directory, { recursive: true });
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
