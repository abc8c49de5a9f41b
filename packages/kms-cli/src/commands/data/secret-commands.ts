import { type Command, Option } from 'commander';
import { callOptions, connect } from '../../connection/connect.ts';
import { publicKeyIn } from '../../files/key-file.ts';
import { type Destination, destinationOf, PIPE, sourceOf } from '../../files/place.ts';
import { KEY_BYTES, readSmall, writeSmall } from '../../files/small-data.ts';
import type { CommandIo } from '../../terminal/io.ts';
import { wholeNumber } from '../../terminal/option-values.ts';
import { KEY_HELP, keyIdOf } from '../named-key.ts';
import { type OutputOptions, withOutputOptions } from './file-options.ts';

const ENCODINGS = ['raw', 'base64', 'hex'] as const;

interface SecretOptions extends OutputOptions {
  readonly format: (typeof ENCODINGS)[number];
}

interface DataKeyOptions extends SecretOptions {
  readonly key: string;
  readonly bytes?: number;
  readonly associatedData?: string;
  readonly wrappedOut: string;
  readonly wrappedOnly?: boolean;
}

interface DeriveOptions extends SecretOptions {
  readonly key: string;
  readonly info?: string;
  readonly salt?: string;
  readonly length?: number;
  readonly keyVersion?: number;
}

/** What gives new secrets: random bytes, data keys, and keys that are agreed with somebody else. */
export function addSecretCommands(program: Command, io: CommandIo): void {
  addRandom(program, io);
  addDataKey(program, io);
  addKem(program, io);
  addDerive(program, io);
}

/** As raw bytes into a file or a pipe, and as text on request. */
function withSecretOutput(command: Command): Command {
  return withOutputOptions(command, 'standard output').addOption(
    new Option('--format <format>', 'the encoding of the secret').choices(ENCODINGS).default('raw'),
  );
}

function secretDestination({ out = PIPE, force = false, format }: SecretOptions, io: CommandIo): Destination {
  return destinationOf(out, force, io, format !== 'raw');
}

async function writeSecret(
  destination: Destination,
  secret: Uint8Array,
  { format }: SecretOptions,
  io: CommandIo,
): Promise<void> {
  const text = format === 'raw' ? undefined : `${Buffer.from(secret).toString(format)}\n`;
  try {
    await writeSmall(destination, text === undefined ? secret : Buffer.from(text), io.signal);
  } finally {
    secret.fill(0);
  }
}

function addRandom(program: Command, io: CommandIo): void {
  withSecretOutput(
    program
      .command('random')
      .argument('[bytes]', 'how many', wholeNumber, 32)
      .description('get random bytes, including from the HSM if there is one'),
  ).action(async (bytes: number, options: SecretOptions) => {
    const destination = secretDestination(options, io);
    const { random } = await connect(io).getRandom({ bytes }, callOptions(io));
    await writeSecret(destination, random, options, io);
  });
}

function addDataKey(program: Command, io: CommandIo): void {
  withSecretOutput(
    program
      .command('data-key')
      .description(
        'create a data key, in the clear for immediate use and wrapped for storage; `kms unwrap` recovers it',
      )
      .requiredOption('--key <key>', KEY_HELP)
      .requiredOption('--wrapped-out <file>', 'where to write the wrapped key')
      .option('--bytes <number>', 'its length in bytes (default: 32)', wholeNumber)
      .option('--associated-data <text>', 'the associated data, which unwrapping must repeat; not secret')
      .option('--wrapped-only', 'return only the wrapped key'),
  ).action(async (options: DataKeyOptions) => {
    const { key, bytes, associatedData, wrappedOut, wrappedOnly = false, force = false } = options;
    const wrapped = destinationOf(wrappedOut, force, io);
    const destination = wrappedOnly ? undefined : secretDestination(options, io);
    const kms = connect(io);
    const answer = await kms.createDataKey(
      {
        keyId: await keyIdOf(kms, key, io),
        bytes,
        associatedData: bytesOf(associatedData),
        withPlaintext: !wrappedOnly,
      },
      callOptions(io),
    );
    // First what is to be kept: a data key in use that nobody can unwrap later would lose what it protects.
    await writeSmall(wrapped, answer.wrappedKey, io.signal);
    if (destination !== undefined && answer.dataKey !== undefined)
      await writeSecret(destination, answer.dataKey, options, io);
  });
}

function addKem(program: Command, io: CommandIo): void {
  withSecretOutput(
    program
      .command('encapsulate')
      .description('create a shared secret for the holder of a KEM key, and the ciphertext that carries it')
      .requiredOption('--key <key>', KEY_HELP)
      .requiredOption('--ciphertext-out <file>', 'where to write the ciphertext'),
  ).action(async (options: SecretOptions & { readonly key: string; readonly ciphertextOut: string }) => {
    const ciphertextPlace = destinationOf(options.ciphertextOut, options.force ?? false, io);
    const destination = secretDestination(options, io);
    const kms = connect(io);
    const keyId = await keyIdOf(kms, options.key, io);
    const { sharedSecret, ciphertext } = await kms.encapsulate({ keyId }, callOptions(io));
    await writeSmall(ciphertextPlace, ciphertext, io.signal);
    await writeSecret(destination, sharedSecret, options, io);
  });
  withSecretOutput(
    program
      .command('decapsulate')
      .argument('[file]', 'the ciphertext; standard input by default', PIPE)
      .description('recover the shared secret from a KEM ciphertext')
      .requiredOption('--key <key>', KEY_HELP)
      .option('--key-version <number>', 'the version of the key (default: the one that it was made for)', wholeNumber),
  ).action(async (file: string, options: SecretOptions & { readonly key: string; readonly keyVersion?: number }) => {
    const source = sourceOf(file, io);
    const destination = secretDestination(options, io);
    const kms = connect(io);
    const ciphertext = await readSmall(source, KEY_BYTES, 'name a file with one KEM ciphertext', io.signal);
    const keyId = await keyIdOf(kms, options.key, io);
    const { keyVersion } = options;
    const { sharedSecret } = await kms.decapsulate({ keyId, ciphertext, keyVersion }, callOptions(io));
    await writeSecret(destination, sharedSecret, options, io);
  });
}

function addDerive(program: Command, io: CommandIo): void {
  withSecretOutput(
    program
      .command('derive')
      .argument(
        '[file]',
        "the other side's public key as SubjectPublicKeyInfo in PEM or DER; standard input by default",
        PIPE,
      )
      .description('agree on a key with another party by ECDH and HKDF')
      .requiredOption('--key <key>', KEY_HELP)
      .option('--info <text>', 'what the derived key is for')
      .option('--salt <text>', 'the HKDF salt')
      .option('--length <bytes>', 'its length in bytes (default: 32)', wholeNumber)
      .option('--key-version <number>', 'the version of the key (default: the current one)', wholeNumber),
  ).action(async (file: string, options: DeriveOptions) => {
    const source = sourceOf(file, io);
    const destination = secretDestination(options, io);
    const kms = connect(io);
    const given = await readSmall(source, KEY_BYTES, 'name a file with one public key', io.signal);
    const peerPublicKey = publicKeyIn(given, source.kind === 'pipe' ? 'Standard input' : source.path);
    const keyId = await keyIdOf(kms, options.key, io);
    const { length, keyVersion } = options;
    const { derivedKey } = await kms.derive(
      { keyId, peerPublicKey, info: bytesOf(options.info), salt: bytesOf(options.salt), length, keyVersion },
      callOptions(io),
    );
    await writeSecret(destination, derivedKey, options, io);
  });
}

function bytesOf(text: string | undefined): Uint8Array | undefined {
  return text === undefined ? undefined : new TextEncoder().encode(text);
}
