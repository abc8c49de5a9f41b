import { resolve } from 'node:path';
import type { Command } from 'commander';
import {
  type Context,
  contextNamed,
  type Contexts,
  contextsPath,
  readContexts,
  writeContexts,
} from '../../connection/contexts.ts';
import { CommandError, EXIT } from '../../terminal/exit-codes.ts';
import type { CommandIo } from '../../terminal/io.ts';
import type { Row } from '../../terminal/output.ts';
import { type CommandGroup, print } from '../command-group.ts';

interface SetOptions {
  readonly url?: string;
  readonly tokenFile?: string;
  readonly tenant?: string;
  readonly allowInsecureHttp?: boolean;
  readonly caFile?: string;
  readonly clientCertFile?: string;
  readonly clientKeyFile?: string;
  readonly clientKeyPassphraseFile?: string;
  readonly serverName?: string;
}

const TITLES = ['name', 'current', 'url', 'token file', 'tenant'];

/** `kms context …`: named services, and which of them is used. */
export const contextCommands: CommandGroup = (program, io) => {
  const context = program.command('context').description('name services, and choose the one to use');
  const path = () => contextsPath(io.environment);

  context
    .command('list')
    .description('list the contexts')
    .action((_options, command: Command) => {
      writeAll(io, command, readContexts(path()));
    });
  context
    .command('set')
    .argument('<name>')
    .description('create or change a context; the first one is used immediately')
    .option('--url <url>', 'where the service is; unix: and a path for its socket file')
    .option('--token-file <file>', 'the file that holds its token; the token itself is never kept in the context')
    .option('--tenant <id>', 'the tenant; only a platform credential needs to name one')
    .option('--ca-file <file>', 'the PEM file of the authority to trust, instead of the usual ones')
    .option('--client-cert-file <file>', 'the PEM file of the certificate to prove yourself by')
    .option('--client-key-file <file>', 'the PEM file of its key')
    .option('--client-key-passphrase-file <file>', 'the file that holds the passphrase of an encrypted key')
    .option(
      '--server-name <name>',
      'the name to expect in the certificate of the service, if it is not that of the URL',
    )
    .option('--allow-insecure-http', 'allow the token to be sent over http:// to another machine')
    .action(async (name: string, options: SetOptions, command: Command) => {
      const known = readContexts(path());
      const before = Object.hasOwn(known.contexts, name) ? known.contexts[name] : undefined;
      const changed = {
        ...known,
        current: known.current ?? name,
        contexts: { ...known.contexts, [name]: merged(before, options) },
      };
      await writeContexts(path(), changed);
      writeAll(io, command, changed);
    });
  context
    .command('use')
    .argument('<name>')
    .description('use this context from now on, unless something else names a service')
    .action(async (name: string, _options, command: Command) => {
      const known = readContexts(path());
      contextNamed(known, name);
      const changed = { ...known, current: name };
      await writeContexts(path(), changed);
      writeAll(io, command, changed);
    });
  context
    .command('remove')
    .argument('<name>')
    .description('forget a context; its token file stays')
    .action(async (name: string, _options, command: Command) => {
      const known = readContexts(path());
      contextNamed(known, name);
      const { [name]: _removed, ...contexts } = known.contexts;
      const { current, ...rest } = known;
      const changed: Contexts = {
        ...rest,
        ...(current === name || current === undefined ? {} : { current }),
        contexts,
      };
      await writeContexts(path(), changed);
      writeAll(io, command, changed);
    });
};

function merged(before: Context | undefined, options: SetOptions): Context {
  const { url, tokenFile, tenant, allowInsecureHttp, caFile, clientCertFile, serverName } = options;
  const { clientKeyFile, clientKeyPassphraseFile } = options;
  const after = {
    ...before,
    ...(caFile === undefined ? {} : { caFile: resolve(caFile) }),
    ...(clientCertFile === undefined ? {} : { clientCertFile: resolve(clientCertFile) }),
    ...(clientKeyFile === undefined ? {} : { clientKeyFile: resolve(clientKeyFile) }),
    ...(clientKeyPassphraseFile === undefined ? {} : { clientKeyPassphraseFile: resolve(clientKeyPassphraseFile) }),
    ...(serverName === undefined ? {} : { serverName }),
    ...(url === undefined ? {} : { url }),
    ...(tokenFile === undefined ? {} : { tokenFile: resolve(tokenFile) }),
    ...(tenant === undefined ? {} : { tenantId: tenant }),
    ...(allowInsecureHttp === undefined ? {} : { allowInsecureHttp }),
  };
  if (after.url === undefined || after.tokenFile === undefined)
    throw new CommandError(EXIT.usage, 'A new context needs --url and --token-file.');
  if (!/^(?:https?|unix):$/.test(URL.parse(after.url)?.protocol ?? ''))
    throw new CommandError(EXIT.usage, `${after.url} is not an address: give one such as https://kms.example.`);
  return { ...after, url: after.url, tokenFile: after.tokenFile };
}

function writeAll(io: CommandIo, command: Command, all: Contexts): void {
  print(io, command, all, ({ contexts, current }) => Object.entries(contexts).map(rowOfContext(current)), TITLES);
}

function rowOfContext(current: string | undefined): (entry: readonly [string, Context]) => Row {
  return ([name, { url, tokenFile, tenantId }]) => ({
    name,
    current: name === current,
    url,
    'token file': tokenFile,
    tenant: tenantId ?? null,
  });
}
