import type { Command } from 'commander';
import { callOptions, connect } from '../../connection/connect.ts';
import { CommandError, EXIT } from '../../terminal/exit-codes.ts';
import { keyIn } from '../../files/key-file.ts';
import { PIPE, sourceOf } from '../../files/place.ts';
import { KEY_BYTES, readSmall } from '../../files/small-data.ts';
import type { CommandGroup } from '../command-group.ts';
import { keyIdOf } from '../named-key.ts';
import { newKeyInput, type NewKeyOptions, withNewKeyOptions } from './create-key.ts';
import { writeKey } from './key-output.ts';
import { wrapMaterial } from './wrap-material.ts';

/** As many as the service accepts. Certificates beside a key in a file do not count. */
const MATERIAL_BYTES = 16_384;
const WRAPPING = 'ML_KEM_768_AES_KWP';

interface ImportOptions extends NewKeyOptions {
  readonly algorithm: string;
  readonly key?: string;
}

/** `kms import`: imports a key that was made elsewhere. It leaves this machine only wrapped. */
export const importCommand: CommandGroup = (program, io) => {
  withNewKeyOptions(
    program
      .command('import')
      .argument(
        '[file]',
        'the secret key as raw bytes, or the private key as PKCS #8 in DER or PEM (default: standard input)',
        PIPE,
      )
      .description('import a key; it is wrapped with ML-KEM-768 in transit')
      .requiredOption('--algorithm <name>', 'its algorithm')
      .option('--key <key>', 'the imported key to give this as a new version (default: a new key)'),
  ).action(async (file: string, { algorithm, key, ...options }: ImportOptions, command: Command) => {
    const source = sourceOf(file, io);
    const kms = connect(io);
    const name = source.kind === 'pipe' ? 'Standard input' : source.path;
    const material = keyIn(await readSmall(source, KEY_BYTES, 'name a file with one key', io.signal), name);
    try {
      if (material.length > MATERIAL_BYTES)
        throw new CommandError(EXIT.usage, `${name} holds more than the ${MATERIAL_BYTES} bytes that any key has.`);
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
