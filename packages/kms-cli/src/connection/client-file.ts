import { readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { CommandError, EXIT } from '../terminal/exit-codes.ts';

/** What a local start of the service writes: where it is, and the token of its first tenant. */
export interface ClientFile {
  readonly path: string;
  readonly baseUrl: string;
  readonly apiToken: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The `client.json` of a local start: in `KMS_DATA_DIR`, or else in `.kms` of the working directory or of the nearest one above it.
 *
 * @throws CommandError for a file that is damaged, or that somebody else can write to: it says where data and
 * credentials go.
 */
export function findClientFile(environment: Environment, workingDirectory: string): ClientFile | undefined {
  const dataDir = environment['KMS_DATA_DIR'];
  if (dataDir !== undefined && dataDir !== '') return readClientFile(resolve(workingDirectory, dataDir, 'client.json'));
  for (let directory = resolve(workingDirectory); ; directory = dirname(directory)) {
    const found = readClientFile(join(directory, '.kms', 'client.json'));
    if (found !== undefined || directory === dirname(directory)) return found;
  }
}

function readClientFile(path: string): ClientFile | undefined {
  const facts = statSync(path, { throwIfNoEntry: false });
  if (facts === undefined) return undefined;
  const owner = process.getuid?.();
  if (owner !== undefined && ((facts.uid !== owner && facts.uid !== 0) || (facts.mode & 0o022) !== 0))
    throw new CommandError(
      EXIT.configuration,
      `${path} belongs to somebody else or others can write to it, so it is not used: set KMS_URL and KMS_TOKEN_FILE, or make it your own with mode 600.`,
    );
  const content = parse(readFileSync(path, 'utf8'));
  if (typeof content === 'object' && content !== null) {
    const { baseUrl, apiToken } = content as Readonly<Record<string, unknown>>;
    if (typeof baseUrl === 'string' && typeof apiToken === 'string') return { path, baseUrl, apiToken };
  }
  throw new CommandError(
    EXIT.configuration,
    `${path} is damaged: start the service again, or set KMS_URL and KMS_TOKEN_FILE.`,
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's error quotes the file, which holds a token.
    return undefined;
  }
}
