import { createFileEnvelope } from '@qnsp/kms-client/node';
import type { Command } from 'commander';
import { connect } from '../../connection/connect.ts';
import { destinationOf, PIPE, sourceOf } from '../../files/place.ts';
import type { CommandIo } from '../../terminal/io.ts';
import { nameAndValue } from '../../terminal/option-values.ts';
import { KEY_HELP, keyIdOf } from '../named-key.ts';
import { convert } from './convert.ts';
import { ENCRYPTED, type OutputOptions, withEnding, withOutputOptions } from './file-options.ts';

interface EncryptOptions extends OutputOptions {
  readonly key: string;
  readonly context?: Readonly<Record<string, string>>;
}

export function addEncrypt(program: Command, io: CommandIo): void {
  withOutputOptions(
    program
      .command('encrypt')
      .argument('[file]', 'what to encrypt (default: standard input)', PIPE)
      .description('encrypt a file or pipe of any size under a data key from the service')
      .requiredOption('--key <key>', KEY_HELP)
      .option(
        '--context <name=value>',
        'the encryption context, which decrypting must repeat; not secret',
        nameAndValue,
      ),
    `the same name with ${ENCRYPTED}`,
  ).action(async (file: string, { key, context, out, force = false }: EncryptOptions) => {
    const source = sourceOf(file, io);
    const destination = destinationOf(withEnding(file, ENCRYPTED, out), force, io);
    const kms = connect(io);
    const files = createFileEnvelope(kms);
    const keyId = await keyIdOf(kms, key, io);
    await convert(io, source, destination, (ends) => files.encryptFile({ ...ends, keyId, context }));
  });
}
