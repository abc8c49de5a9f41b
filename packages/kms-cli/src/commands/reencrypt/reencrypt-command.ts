import type { KmsClient, ReencryptInput } from '@qnsp/kms-client';
import type { Command } from 'commander';
import { callOptions, connect } from '../../connection/connect.ts';
import { linesOf } from '../../files/json-lines.ts';
import { sourceOf } from '../../files/place.ts';
import { CommandError, EXIT } from '../../terminal/exit-codes.ts';
import type { CommandIo } from '../../terminal/io.ts';
import { type Columns, type CommandGroup, print, rowOf } from '../command-group.ts';
import { KEY_HELP, keyIdOf } from '../named-key.ts';
import { doneLine, failedLine, isOf, type ListLine, readLine } from './list-line.ts';
import { OutputFile, type VersionCount } from './output-file.ts';

interface ReencryptOptions {
  readonly in: string;
  readonly out: string;
  readonly to?: string;
}

const COLUMNS: Columns<VersionCount> = {
  key: ({ key }) => key,
  version: ({ version }) => version,
  ciphertexts: ({ ciphertexts }) => ciphertexts,
  failed: ({ failed }) => failed,
};

/** `kms reencrypt`: a list of ciphertexts under the newest versions of their keys. */
export const reencryptCommand: CommandGroup = (program, io) => {
  program
    .command('reencrypt')
    .description(
      'encrypt a list of ciphertexts again under the newest versions of their keys, or under another key; run again, it continues',
    )
    .requiredOption(
      '--in <file>',
      'the list: a JSON object with `ciphertext` and, if it has one, `context` in each line',
    )
    .requiredOption('--out <file>', 'the same list with the new ciphertexts, as far as it is done')
    .option('--to <key>', `the key to encrypt under (default: the present key of each); ${KEY_HELP}`)
    .action(async (options: ReencryptOptions, command: Command) => {
      if (sourceOf(options.in, io).kind !== 'file')
        throw new CommandError(
          EXIT.usage,
          'A list that comes in by a pipe cannot be continued: name a file with --in.',
        );
      const kms = connect(io);
      const destinationKeyId = options.to === undefined ? undefined : await keyIdOf(kms, options.to, io);
      await using output = await OutputFile.open(options.out, options.in, io.signal);
      await reencryptRest(kms, io, { path: options.in, output, destinationKeyId });
      await output.flush();
      print(io, command, output.counts, (counts) => counts.map(rowOf(COLUMNS)), Object.keys(COLUMNS));
      const { failed } = output;
      if (failed > 0)
        throw new CommandError(
          EXIT.failed,
          `${failed} ${failed === 1 ? 'ciphertext is' : 'ciphertexts are'} as before: ${options.out} has the error of each, and can be the list of another run.`,
        );
    });
};

interface Rest {
  readonly path: string;
  readonly output: OutputFile;
  readonly destinationKeyId: string | undefined;
}

async function reencryptRest(kms: KmsClient, io: CommandIo, { path, output, destinationKeyId }: Rest): Promise<void> {
  /** What was read and is not written yet, in order. */
  const waiting: ListLine[] = [];
  const flushFailed = async () => {
    while (waiting[0] !== undefined && waiting[0].input === undefined)
      await output.add(failedLine(waiting.shift() ?? waiting[0]));
  };
  const inputs = async function* (): AsyncGenerator<ReencryptInput, void, void> {
    const skipped = output.lines;
    let at = 0;
    for await (const { text } of linesOf(path, io.signal)) {
      at += 1;
      if (at === skipped && output.last !== undefined && !isOf(output.last, text)) throw notThisList(path);
      if (at <= skipped) continue;
      const line = readLine(text);
      waiting.push(line);
      if (line.input !== undefined) yield { ...line.input, destinationKeyId };
      else if (waiting.length === 1) await flushFailed();
    }
    if (at < skipped) throw notThisList(path);
  };
  for await (const result of kms.reencryptAll(inputs(), callOptions(io))) {
    await flushFailed();
    const line = waiting.shift();
    if (line === undefined) throw new Error('There are more answers than lines.');
    await output.add(result.ok ? doneLine(line, result.value) : failedLine(line, result.error));
  }
  await flushFailed();
}

function notThisList(path: string): CommandError {
  return new CommandError(EXIT.data, `The output file is not of this list: name another --out for ${path}.`);
}
