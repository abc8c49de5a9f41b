import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findPkcs11Module, tempDir } from '@qnsp/test-harness';

const run = promisify(execFile);
const SO_PIN = '87654321';
export const PIN = '135792';

/** SoftHSM with tokens that can be taken away and brought back. */
export interface Tokens {
  readonly modulePath: string;
  /** What the service needs in its environment to see them. */
  readonly env: Readonly<Record<string, string>>;
  /** The configuration of one of them. */
  config(label: string, id?: string): Readonly<Record<string, unknown>>;
  /** Takes the files of a token away while it is in use. */
  takeAway(label: string): void;
  bringBack(label: string): void;
  /** What `pkcs11-tool` shows. */
  show(label: string, ...options: string[]): Promise<string>;
  /** The key versions whose objects a token holds, as `key/version`. */
  residents(label: string): Promise<readonly string[]>;
  remove(): Promise<void>;
}

/** Makes tokens with these labels in one directory. */
export async function makeTokens(labels: readonly string[]): Promise<Tokens> {
  const modulePath = findPkcs11Module();
  if (modulePath === undefined) throw new Error('SoftHSM is not installed');
  const home = tempDir('qnsp-tokens-');
  const tokens = join(home.path, 'tokens');
  const away = join(home.path, 'away');
  const SOFTHSM2_CONF = join(home.path, 'softhsm2.conf');
  for (const directory of [tokens, away]) mkdirSync(directory, { mode: 0o700 });
  writeFileSync(SOFTHSM2_CONF, `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`);
  const environment = { PATH: process.env['PATH'], SOFTHSM2_CONF };
  const directoryOf = new Map<string, string>();
  for (const label of labels) {
    const before = readdirSync(tokens);
    await run('softhsm2-util', ['--init-token', '--free', '--label', label, '--pin', PIN, '--so-pin', SO_PIN], {
      env: environment,
    });
    const made = readdirSync(tokens).find((name) => !before.includes(name));
    if (made === undefined) throw new Error(`softhsm2-util made no directory for ${label}`);
    directoryOf.set(label, made);
  }
  const move = (label: string, from: string, to: string) => {
    const name = directoryOf.get(label) ?? label;
    renameSync(join(from, name), join(to, name));
  };
  const show = async (label: string, ...options: readonly string[]): Promise<string> => {
    const { stdout } = await run(
      'pkcs11-tool',
      ['--module', modulePath, '--token-label', label, '--login', '--pin', PIN, ...options],
      { env: environment },
    );
    return stdout;
  };
  return {
    modulePath,
    env: { SOFTHSM2_CONF },
    config: (label, id = label) => ({ modulePath, tokenLabel: label, pin: PIN, id, timeoutMs: 3000 }),
    takeAway: (label) => move(label, tokens, away),
    bringBack: (label) => move(label, away, tokens),
    show,
    residents: async (label) => {
      const shown = await show(label, '--list-objects');
      const names = [...shown.matchAll(/qnsp-kms\/v1\/[^/\s]+\/([^/\s]+\/\d+)/g)].map((match) => match[1] ?? '');
      return [...new Set(names)].toSorted();
    },
    remove: () => home.remove(),
  };
}
