import { createFileEnvelope } from '@qnsp/kms-client/node';
import type { Command } from 'commander';
import { connect } from '../../connection/connect.ts';
import { boundedGarbage } from '../../files/bounded-garbage.ts';
import { destinationOf, PIPE, sourceOf } from '../../files/place.ts';
import { streamThrough } from '../../files/stream-through.ts';
import type { CommandIo } from '../../io.ts';
import { nameAndValue } from '../../option-values.ts';
import { progressBar } from '../../progress-bar.ts';
import { KEY_HELP, keyIdOf } from '../named-key.ts';
import { ENCRYPTED, type OutputOptions, withEnding, withOutputOptions } from './file-options.ts';

interface EncryptOptions extends OutputOptions {
  readonly key: string;
  readonly context?: Readonly<Record<string, string>>;
}

export function addEncrypt(program: Command, io: CommandIo): void {
  withOutputOptions(
    program
      .command('encrypt')
      .argument('[file]', 'what to encrypt; standard input without it', PIPE)
      .description('encrypt a file or a pipe of any size under a data key of the service')
      .requiredOption('--key <key>', KEY_HELP)
      .option('--context <name=value>', 'what it belongs to: decrypting needs the same; not secret', nameAndValue),
    `the same name with ${ENCRYPTED}`,
  ).action(async (file: string, { key, context, out, force = false }: EncryptOptions) => {
    const source = sourceOf(file, io);
    const destination = destinationOf(withEnding(file, ENCRYPTED, out), force, io);
    const kms = connect(io);
    const files = createFileEnvelope(kms);
    const keyId = await keyIdOf(kms, key, io);
    const progress = progressBar(io, source.kind === 'file' ? source.size : undefined);
    const onProgress = boundedGarbage(progress.at);
    const { signal } = io;
    try {
      if (source.kind === 'file' && destination.kind === 'file')
        await files.encryptFile({
          source: source.path,
          destination: destination.path,
          overwrite: destination.overwrite,
          keyId,
          context,
          signal,
          onProgress,
        });
      else await streamThrough(source, files.encryptStream({ keyId, context }), destination, onProgress, signal);
    } finally {
      progress.end();
    }
  });
}
