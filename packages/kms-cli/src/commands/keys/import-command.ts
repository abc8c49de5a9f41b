import type { Command } from 'commander';
import { createPrivateKey } from 'node:crypto';
import { callOptions, connect } from '../../connection/connect.ts';
import { CommandError, EXIT } from '../../exit-codes.ts';
import { PIPE, sourceOf } from '../../files/place.ts';
import { readSmall } from '../../files/small-data.ts';
import type { CommandGroup } from '../command-group.ts';
import { keyIdOf } from '../named-key.ts';
import { newKeyInput, type NewKeyOptions, withNewKeyOptions } from './create-key.ts';
import { writeKey } from './key-output.ts';
import { wrapMaterial } from './wrap-material.ts';

const MATERIAL_BYTES = 16_384;
const WRAPPING = 'ML_KEM_768_AES_KWP';

interface ImportOptions extends NewKeyOptions {
  readonly algorithm: string;
  readonly key?: string;
}

/** `kms import`: brings a key that was made elsewhere. It leaves this machine only wrapped. */
export const importCommand: CommandGroup = (program, io) => {
  withNewKeyOptions(
    program
      .command('import')
      .argument(
        '[file]',
        'the secret key as raw bytes, or the private key as PKCS #8 in DER or PEM; standard input without it',
        PIPE,
      )
      .description('import a key; it is wrapped with ML-KEM-768 on its way')
      .requiredOption('--algorithm <name>', 'what it is a key of')
      .option('--key <key>', 'the imported key that gets it as a new version; a new key without it'),
  ).action(async (file: string, { algorithm, key, ...options }: ImportOptions, command: Command) => {
    const source = sourceOf(file, io);
    const kms = connect(io);
    const material = binaryOf(await readSmall(source, MATERIAL_BYTES, 'name a file with one key', io.signal));
    try {
      const keyId = key === undefined ? undefined : await keyIdOf(kms, key, io);
      const parameters = await kms.getImportParameters({ wrappingAlgorithm: WRAPPING }, callOptions(io));
      const imported = await kms.importKey(
        {
          ...newKeyInput(options),
          algorithm,
          keyId,
          wrappingAlgorithm: WRAPPING,
          importToken: parameters.importToken,
          wrappedMaterial: wrapMaterial(material, parameters.publicKeyPem),
        },
        callOptions(io),
      );
      writeKey(io, command, imported);
    } finally {
      material.fill(0);
    }
  });
};

function binaryOf(material: Uint8Array): Uint8Array {
  const start = Buffer.from(material.subarray(0, 64)).toString('latin1');
  if (!start.startsWith('-----BEGIN ')) return material;
  try {
    return createPrivateKey(Buffer.from(material)).export({ format: 'der', type: 'pkcs8' });
  } catch {
    // OpenSSL's error says nothing that a person could use.
    throw new CommandError(
      EXIT.data,
      'The PEM file holds no private key that can be read: give one without a password, as PKCS #8.',
    );
  } finally {
    material.fill(0);
  }
}
