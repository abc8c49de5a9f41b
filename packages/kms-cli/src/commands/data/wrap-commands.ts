import type { Command } from 'commander';
import { callOptions, connect } from '../../connection/connect.ts';
import { destinationOf, PIPE, sourceOf } from '../../files/place.ts';
import { KEY_BYTES, readSmall, writeSmall } from '../../files/small-data.ts';
import type { CommandIo } from '../../terminal/io.ts';
import { KEY_HELP, keyIdOf } from '../named-key.ts';
import { type OutputOptions, withEnding, withOutputOptions, withoutEnding } from './file-options.ts';

const WRAPPED = '.wrapped';

interface WrapOptions extends OutputOptions {
  readonly key: string;
  readonly associatedData?: string;
}

/** `kms wrap` and `kms unwrap`: a key of 16 to 64 bytes under a key of the service. */
export function addWrapCommands(program: Command, io: CommandIo): void {
  withWrapOptions(
    program
      .command('wrap')
      .argument('[file]', 'the key to wrap, as raw bytes (default: standard input)', PIPE)
      .description('wrap a key of 16 to 64 bytes'),
    `the same name with ${WRAPPED}`,
  ).action(async (file: string, options: WrapOptions) => {
    const destination = destinationOf(withEnding(file, WRAPPED, options.out), options.force ?? false, io);
    const kms = connect(io);
    const dataKey = await readKey(file, io);
    const keyId = await keyIdOf(kms, options.key, io);
    const { wrappedKey } = await kms.wrap({ keyId, dataKey, ...associated(options) }, callOptions(io));
    await writeSmall(destination, wrappedKey, io.signal);
  });
  withWrapOptions(
    program
      .command('unwrap')
      .argument('[file]', 'the wrapped key (default: standard input)', PIPE)
      .description('recover a key wrapped with `kms wrap`'),
    `the same name without ${WRAPPED}`,
  ).action(async (file: string, options: WrapOptions) => {
    const destination = destinationOf(withoutEnding(file, WRAPPED, options.out), options.force ?? false, io);
    const kms = connect(io);
    const wrappedKey = await readKey(file, io);
    const keyId = await keyIdOf(kms, options.key, io);
    const { dataKey } = await kms.unwrap({ keyId, wrappedKey, ...associated(options) }, callOptions(io));
    await writeSmall(destination, dataKey, io.signal);
  });
}

function withWrapOptions(command: Command, otherwise: string): Command {
  return withOutputOptions(
    command
      .requiredOption('--key <key>', KEY_HELP)
      .option('--associated-data <text>', 'the associated data, which unwrapping must repeat; not secret'),
    otherwise,
  );
}

function readKey(file: string, io: CommandIo): Promise<Uint8Array> {
  return readSmall(sourceOf(file, io), KEY_BYTES, 'use `kms encrypt` for data', io.signal);
}

function associated({ associatedData }: WrapOptions) {
  return { associatedData: associatedData === undefined ? undefined : new TextEncoder().encode(associatedData) };
}
