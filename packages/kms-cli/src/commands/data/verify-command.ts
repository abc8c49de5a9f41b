import type { Command } from 'commander';
import { callOptions, connect } from '../../connection/connect.ts';
import { CommandError, EXIT } from '../../terminal/exit-codes.ts';
import { PIPE, sourceOf } from '../../files/place.ts';
import { KEY_BYTES, MESSAGE_BYTES, readSmall } from '../../files/small-data.ts';
import type { CommandIo } from '../../terminal/io.ts';
import { print } from '../command-group.ts';
import { keyIdOf } from '../named-key.ts';
import { SIGNATURE, signatureInput, type SignatureOptions, TOO_LARGE, withSignatureOptions } from './sign-command.ts';

export function addVerify(program: Command, io: CommandIo): void {
  withSignatureOptions(
    program
      .command('verify')
      .argument('[file]', 'what was signed (default: standard input)', PIPE)
      .description('verify a signature; exits with 65 if it is not valid'),
  )
    .option('--signature <file>', `the signature (default: the same name with ${SIGNATURE})`)
    .action(async (file: string, options: SignatureOptions & { readonly signature?: string }, command: Command) => {
      const { signature: given } = options;
      if (given === undefined && file === PIPE)
        throw new CommandError(
          EXIT.usage,
          'The message comes from standard input: name its signature with --signature.',
        );
      const source = sourceOf(file, io);
      const beside = sourceOf(given ?? `${file}${SIGNATURE}`, io);
      const kms = connect(io);
      const data = await readSmall(source, MESSAGE_BYTES, TOO_LARGE, io.signal);
      const signature = await readSmall(beside, KEY_BYTES, 'name the file with the signature', io.signal);
      const keyId = await keyIdOf(kms, options.key, io);
      const answer = await kms.verify({ keyId, data, signature, ...signatureInput(options) }, callOptions(io));
      print(io, command, answer, ({ valid, keyVersion, algorithm }) => [
        { valid, key: keyId, version: keyVersion, algorithm },
      ]);
      if (!answer.valid)
        throw new CommandError(
          EXIT.data,
          'The signature is not valid: do not trust the data, and check that key and files belong together.',
        );
    });
}
