import type { Command } from 'commander';
import { callOptions, connect } from '../../connection/connect.ts';
import { CommandError, EXIT } from '../../terminal/exit-codes.ts';
import { destinationOf, PIPE, sourceOf } from '../../files/place.ts';
import { KEY_BYTES, MESSAGE_BYTES, readSmall, writeSmall } from '../../files/small-data.ts';
import type { CommandIo } from '../../terminal/io.ts';
import { wholeNumber } from '../../terminal/option-values.ts';
import { print } from '../command-group.ts';
import { KEY_HELP, keyIdOf } from '../named-key.ts';
import { type OutputOptions, withEnding, withOutputOptions } from './file-options.ts';

const MAC = '.mac';
const TOO_LARGE = 'authenticate the digest of the file instead, for example from `sha256sum`';

interface MacOptions extends OutputOptions {
  readonly key: string;
  readonly keyVersion?: number;
}

interface VerifyOptions {
  readonly key: string;
  readonly mac?: string;
  readonly keyVersion?: number;
}

/** `kms mac` and `kms verify-mac`: message authentication under an HMAC key. */
export function addMacCommands(program: Command, io: CommandIo): void {
  withOutputOptions(
    program
      .command('mac')
      .argument('[file]', 'what to authenticate; standard input by default', PIPE)
      .description(`compute the HMAC of a message of at most ${MESSAGE_BYTES / 1024} KiB`)
      .requiredOption('--key <key>', KEY_HELP)
      .option('--key-version <number>', 'under this version (default: the current one)', wholeNumber),
    `the same name with ${MAC}`,
  ).action(async (file: string, { key, keyVersion, out, force = false }: MacOptions) => {
    const source = sourceOf(file, io);
    const destination = destinationOf(withEnding(file, MAC, out), force, io);
    const kms = connect(io);
    const data = await readSmall(source, MESSAGE_BYTES, TOO_LARGE, io.signal);
    const { mac } = await kms.mac({ keyId: await keyIdOf(kms, key, io), data, keyVersion }, callOptions(io));
    await writeSmall(destination, mac, io.signal);
  });
  program
    .command('verify-mac')
    .argument('[file]', 'what was authenticated; standard input by default', PIPE)
    .description('verify an HMAC; exits with 65 if it does not match')
    .requiredOption('--key <key>', KEY_HELP)
    .option('--mac <file>', `the HMAC (default: the same name with ${MAC})`)
    .option('--key-version <number>', 'only with this version (default: any usable version)', wholeNumber)
    .action(async (file: string, { key, mac: given, keyVersion }: VerifyOptions, command: Command) => {
      if (given === undefined && file === PIPE)
        throw new CommandError(EXIT.usage, 'The message comes from standard input: name its HMAC with --mac.');
      const source = sourceOf(file, io);
      const beside = sourceOf(given ?? `${file}${MAC}`, io);
      const kms = connect(io);
      const data = await readSmall(source, MESSAGE_BYTES, TOO_LARGE, io.signal);
      const mac = await readSmall(beside, KEY_BYTES, 'name the file with the HMAC', io.signal);
      const keyId = await keyIdOf(kms, key, io);
      const answer = await kms.verifyMac({ keyId, data, mac, keyVersion }, callOptions(io));
      print(io, command, answer, ({ valid, keyVersion: version, algorithm }) => [
        { valid, key: keyId, version, algorithm },
      ]);
      if (!answer.valid)
        throw new CommandError(
          EXIT.data,
          'The HMAC does not match: do not trust the data, and check that key and files belong together.',
        );
    });
}
