import { createFileEnvelope } from '@qnsp/kms-client/node';
import type { Command } from 'commander';
import { connect } from '../../connection/connect.ts';
import { destinationOf, PIPE, sourceOf } from '../../files/place.ts';
import type { CommandIo } from '../../io.ts';
import { nameAndValue } from '../../option-values.ts';
import { KEY_HELP, keyIdOf } from '../named-key.ts';
import { convert } from './convert.ts';
import { ENCRYPTED, type OutputOptions, withoutEnding, withOutputOptions } from './file-options.ts';

interface DecryptOptions extends OutputOptions {
  readonly key?: string;
  readonly context?: Readonly<Record<string, string>>;
}

export function addDecrypt(program: Command, io: CommandIo): void {
  withOutputOptions(
    program
      .command('decrypt')
      .argument('[file]', 'what to decrypt; standard input without it', PIPE)
      .description('decrypt what `kms encrypt` or the client library encrypted; it names its key itself')
      .option('--key <key>', `refuse what is under any other key; ${KEY_HELP}`)
      .option('--context <name=value>', 'what it was encrypted with', nameAndValue),
    `the same name without ${ENCRYPTED}`,
  ).action(async (file: string, { key, context, out, force = false }: DecryptOptions) => {
    const source = sourceOf(file, io);
    const destination = destinationOf(withoutEnding(file, ENCRYPTED, out), force, io, true);
    const kms = connect(io);
    const files = createFileEnvelope(kms);
    const keyId = key === undefined ? undefined : await keyIdOf(kms, key, io);
    await convert(io, source, destination, {
      file: (paths) => files.decryptFile({ ...paths, keyId, context }),
      stream: () => files.decryptStream({ keyId, context, signal: io.signal }),
    });
  });
}
