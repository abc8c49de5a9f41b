import type { Command } from 'commander';
import { callOptions, connect } from '../../connection/connect.ts';
import { destinationOf, PIPE, sourceOf } from '../../files/place.ts';
import { MESSAGE_BYTES, readSmall, writeSmall } from '../../files/small-data.ts';
import type { CommandIo } from '../../terminal/io.ts';
import { nameAndValue } from '../../terminal/option-values.ts';
import { KEY_HELP, keyIdOf } from '../named-key.ts';
import { type OutputOptions, withOutputOptions } from './file-options.ts';

type Context = Readonly<Record<string, string>>;

interface MessageOptions extends OutputOptions {
  readonly key?: string;
  readonly context?: Context;
}

interface ReencryptOptions extends MessageOptions {
  readonly to?: string;
  readonly newContext?: Context;
}

const TOO_LARGE = 'use `kms encrypt`, which takes files of any size';

/** `kms message …`: small messages that the service itself encrypts, without a file format around them. */
export function addMessageCommands(program: Command, io: CommandIo): void {
  const message = program.command('message').description('small messages that the service itself encrypts');
  add(message, io, {
    name: 'encrypt',
    description: `encrypt a message of at most ${MESSAGE_BYTES / 1024} KiB`,
    isText: false,
    requiresKey: true,
    run: async (kms, { keyId, data, context }) =>
      (await kms.encrypt({ keyId: keyId ?? '', plaintext: data, context }, callOptions(io))).ciphertext,
  });
  add(message, io, {
    name: 'decrypt',
    description: 'decrypt a message; it names its own key',
    isText: true,
    requiresKey: false,
    run: async (kms, { keyId, data, context }) =>
      (await kms.decrypt({ keyId, ciphertext: data, context }, callOptions(io))).plaintext,
  });
  add<ReencryptOptions>(message, io, {
    name: 'reencrypt',
    description:
      'encrypt a message again under the newest version of its key, or under another key; the plaintext stays inside',
    isText: false,
    requiresKey: false,
    run: async (kms, { keyId, data, context, options }) => {
      const destinationKeyId = options.to === undefined ? undefined : await keyIdOf(kms, options.to, io);
      const input = { sourceKeyId: keyId, destinationKeyId, ciphertext: data, context, newContext: options.newContext };
      return (await kms.reencrypt(input, callOptions(io))).ciphertext;
    },
  })
    .option('--to <key>', `the key to encrypt under (default: its present key); ${KEY_HELP}`)
    .option('--new-context <name=value>', 'the new encryption context (default: unchanged)', nameAndValue);
}

interface MessageCall<Options> {
  readonly name: string;
  readonly description: string;
  /** Whether a person may see the result. */
  readonly isText: boolean;
  readonly requiresKey: boolean;
  readonly run: (
    kms: ReturnType<typeof connect>,
    call: {
      readonly keyId: string | undefined;
      readonly data: Uint8Array;
      readonly context: Context | undefined;
      readonly options: Options;
    },
  ) => Promise<Uint8Array>;
}

function add<Options extends MessageOptions = MessageOptions>(
  message: Command,
  io: CommandIo,
  { name, description, isText, requiresKey, run }: MessageCall<Options>,
): Command {
  const command = message
    .command(name)
    .argument('[file]', 'the message; standard input by default', PIPE)
    .description(description)
    .option('--context <name=value>', 'the encryption context, which decrypting must repeat; not secret', nameAndValue);
  if (requiresKey) command.requiredOption('--key <key>', KEY_HELP);
  else command.option('--key <key>', `refuse data encrypted under any other key; ${KEY_HELP}`);
  return withOutputOptions(command, 'standard output').action(async (file: string, options: Options) => {
    const { out = PIPE, force = false, key, context } = options;
    const source = sourceOf(file, io);
    const destination = destinationOf(out, force, io, isText);
    const kms = connect(io);
    // A ciphertext is larger than its plaintext by a header.
    const data = await readSmall(source, 2 * MESSAGE_BYTES, TOO_LARGE, io.signal);
    const keyId = key === undefined ? undefined : await keyIdOf(kms, key, io);
    await writeSmall(destination, await run(kms, { keyId, data, context, options }), io.signal);
  });
}
