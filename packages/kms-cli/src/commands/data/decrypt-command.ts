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
    const progress = progressBar(io, source.kind === 'file' ? source.size : undefined);
    const onProgress = boundedGarbage(progress.at);
    const { signal } = io;
    try {
      if (source.kind === 'file' && destination.kind === 'file')
        await files.decryptFile({
          source: source.path,
          destination: destination.path,
          overwrite: destination.overwrite,
          keyId,
          context,
          signal,
          onProgress,
        });
      else await streamThrough(source, files.decryptStream({ keyId, context }), destination, onProgress, signal);
    } finally {
      progress.end();
    }
  });
}
