import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { homedir } from 'node:os';
import { parse, stringify } from 'yaml';
import { writeAtomically } from '@qnsp/kms-client/node';
import { CommandError, EXIT } from '../terminal/exit-codes.ts';
import type { TlsFiles } from './tls-files.ts';

/** A named service, and the credential to call it with. Never holds a token, only its location. */
export interface Context extends TlsFiles {
  readonly url: string;
  readonly tokenFile: string;
  readonly tenantId?: string;
  readonly allowInsecureHttp?: boolean;
}

export interface Contexts {
  readonly current?: string;
  readonly contexts: Readonly<Record<string, Context>>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The file of the contexts: `KMS_CONFIG`, or `kms/contexts.yaml` where the user keeps settings (XDG Base Directory). */
export function contextsPath(environment: Environment): string {
  const own = environment['KMS_CONFIG'];
  if (own !== undefined && own !== '') return own;
  const base = environment['XDG_CONFIG_HOME'];
  return join(
    base === undefined || base === '' ? join(environment['HOME'] ?? homedir(), '.config') : base,
    'kms',
    'contexts.yaml',
  );
}

/**
 * Reads the contexts; none when there is no file.
 *
 * @throws CommandError (78) for a file that is damaged, or that somebody else can write: it says where credentials go.
 */
export function readContexts(path: string): Contexts {
  const facts = statSync(path, { throwIfNoEntry: false });
  if (facts === undefined) return { contexts: {} };
  const owner = process.getuid?.();
  if (owner !== undefined && ((facts.uid !== owner && facts.uid !== 0) || (facts.mode & 0o022) !== 0))
    throw new CommandError(
      EXIT.configuration,
      `${path} belongs to somebody else or others can write to it, so it is not used: make it your own with mode 600.`,
    );
  const content: unknown = parseYaml(readFileSync(path, 'utf8'));
  if (isContexts(content)) return content;
  throw new CommandError(
    EXIT.configuration,
    `${path} is damaged: remove it, and create its contexts again with \`kms context set\`.`,
  );
}

/** Writes the contexts, for their owner alone. */
export async function writeContexts(path: string, contexts: Contexts): Promise<void> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  await writeAtomically(path, true, (file) => file.writeFile(stringify(contexts)));
}

/** @throws CommandError when there is no context of this name */
export function contextNamed({ contexts }: Contexts, name: string): Context {
  const found = Object.hasOwn(contexts, name) ? contexts[name] : undefined;
  if (found !== undefined) return found;
  const names = Object.keys(contexts);
  throw new CommandError(
    EXIT.configuration,
    `There is no context ${JSON.stringify(name)}: ${names.length === 0 ? 'create one with `kms context set`' : `choose from ${names.join(', ')}`}.`,
  );
}

function parseYaml(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}

function isContexts(content: unknown): content is Contexts {
  if (!isRecord(content) || !isRecord(content['contexts'])) return false;
  const { current, contexts } = content;
  return (current === undefined || typeof current === 'string') && Object.values(contexts).every(isContext);
}

const OPTIONAL_TEXTS: readonly (keyof TlsFiles)[] = [
  'caFile',
  'clientCertFile',
  'clientKeyFile',
  'clientKeyPassphraseFile',
  'serverName',
];

function isContext(value: unknown): value is Context {
  if (!isRecord(value)) return false;
  const { url, tokenFile, tenantId, allowInsecureHttp } = value;
  return (
    typeof url === 'string' &&
    typeof tokenFile === 'string' &&
    (tenantId === undefined || typeof tenantId === 'string') &&
    (allowInsecureHttp === undefined || typeof allowInsecureHttp === 'boolean') &&
    OPTIONAL_TEXTS.every((name) => value[name] === undefined || typeof value[name] === 'string')
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
