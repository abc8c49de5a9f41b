import { type Command, Option } from 'commander';
import { callOptions, connect } from '../../connection/connect.ts';
import { destinationOf, PIPE, sourceOf } from '../../files/place.ts';
import { MESSAGE_BYTES, readSmall, writeSmall } from '../../files/small-data.ts';
import type { CommandIo } from '../../terminal/io.ts';
import { KEY_HELP, keyIdOf } from '../named-key.ts';
import { type OutputOptions, withEnding, withOutputOptions } from './file-options.ts';

export const SIGNATURE = '.sig';
export const TOO_LARGE = 'sign its digest instead: `openssl dgst -sha256 -binary FILE`, and --digest for ECDSA and RSA';

/** How a signature is made, where its algorithm leaves a choice. */
export interface SignatureOptions {
  readonly key: string;
  readonly context?: string;
  readonly format?: 'der' | 'ieee-p1363';
  readonly scheme?: 'pss' | 'pkcs1-v1_5';
  readonly hash?: 'sha256' | 'sha384' | 'sha512';
  readonly digest?: boolean;
}

export function withSignatureOptions(command: Command): Command {
  return command
    .requiredOption('--key <key>', KEY_HELP)
    .option('--context <text>', 'the context string of ML-DSA and SLH-DSA')
    .addOption(new Option('--format <format>', 'the encoding of ECDSA').choices(['der', 'ieee-p1363']))
    .addOption(new Option('--scheme <scheme>', 'the padding of RSA').choices(['pss', 'pkcs1-v1_5']))
    .addOption(new Option('--hash <hash>', 'the hash of ECDSA and RSA').choices(['sha256', 'sha384', 'sha512']))
    .option('--digest', 'the data is the digest of the message, in binary (ECDSA and RSA)');
}

export function signatureInput({ context, format, scheme, hash, digest = false }: SignatureOptions) {
  return {
    context: context === undefined ? undefined : new TextEncoder().encode(context),
    format,
    scheme,
    hash,
    messageType: digest ? ('digest' as const) : undefined,
  };
}

export function addSign(program: Command, io: CommandIo): void {
  const sign = program
    .command('sign')
    .argument('[file]', 'what to sign (default: standard input)', PIPE)
    .description(`sign a message of at most ${MESSAGE_BYTES / 1024} KiB`);
  withOutputOptions(withSignatureOptions(sign), `the same name with ${SIGNATURE}`).action(
    async (file: string, { out, force = false, ...options }: SignatureOptions & OutputOptions) => {
      const source = sourceOf(file, io);
      const destination = destinationOf(withEnding(file, SIGNATURE, out), force, io);
      const kms = connect(io);
      const data = await readSmall(source, MESSAGE_BYTES, TOO_LARGE, io.signal);
      const keyId = await keyIdOf(kms, options.key, io);
      const { signature } = await kms.sign({ keyId, data, ...signatureInput(options) }, callOptions(io));
      await writeSmall(destination, signature, io.signal);
    },
  );
}
