import { KmsClientError } from '@qnsp/kms-client';
import { createFileEnvelope } from '@qnsp/kms-client/node';
import type { Command } from 'commander';
import { connect } from '../../connection/connect.ts';
import { CommandError, EXIT } from '../../terminal/exit-codes.ts';
import { destinationOf, PIPE, sourceOf } from '../../files/place.ts';
import type { CommandIo } from '../../terminal/io.ts';
import { nameAndValue } from '../../terminal/option-values.ts';
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
      .argument('[file]', 'what to decrypt (default: standard input)', PIPE)
      .description('decrypt data encrypted with `kms encrypt` or the client library; the data names its own key')
      .option('--key <key>', `refuse data encrypted under any other key; ${KEY_HELP}`)
      .option('--context <name=value>', 'the context that it was encrypted with', nameAndValue),
    `the same name without ${ENCRYPTED}`,
  ).action(async (file: string, { key, context, out, force = false }: DecryptOptions) => {
    const source = sourceOf(file, io);
    const destination = destinationOf(withoutEnding(file, ENCRYPTED, out), force, io, true);
    const kms = connect(io);
    const files = createFileEnvelope(kms);
    const keyId = key === undefined ? undefined : await keyIdOf(kms, key, io);
    try {
      await convert(io, source, destination, (ends) => files.decryptFile({ ...ends, keyId, context }));
    } catch (error) {
      throw aboutTheInput(error);
    }
  });
}

/**
 * The key and its wrapped data key are named by the input, not by the user: if they are wrong, that is a fault of the
 * input.
 */
function aboutTheInput(error: unknown): unknown {
  if (!(error instanceof KmsClientError) || (error.code !== 'NOT_FOUND' && error.code !== 'BAD_REQUEST')) return error;
  return new CommandError(
    EXIT.data,
    'The input names a key that the service does not know for this tenant: it was changed, or belongs to another tenant or service.',
    { cause: error },
  );
}
