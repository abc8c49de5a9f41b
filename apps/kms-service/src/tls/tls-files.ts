import { stat } from 'node:fs/promises';
import type { TlsIdentity, TlsSettings } from '@qnsp/http-edge';
import { ConfigurationError } from '../config/configuration-error.ts';
import type { TlsConfig } from '../config/read-transport.ts';
import type { Logger } from '../http/logger.ts';
import { type CheckedIdentity, readIdentity } from './read-identity.ts';

/** How often to check whether the files have changed: what a CRL revokes has to be refused within a second. */
const LOOK_MS = 400;
const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * The files of TLS while the service runs. When they change, what they hold is shown to new connections, but only once it fits
 * together: files are replaced one after the other, and until the last is there the earlier ones stay.
 */
export class TlsFiles {
  readonly #config: TlsConfig;
  readonly #log: Logger;
  readonly #now: () => Date;
  #current: CheckedIdentity;
  /** How the files looked when they were read last; `undefined` when they have to be read again whatever they look like. */
  #seen: string | undefined;
  #problem: string | undefined;
  #stop = (): void => undefined;

  /** @throws ConfigurationError where the files cannot be served with */
  constructor(config: TlsConfig, log: Logger, now = () => new Date()) {
    this.#config = config;
    this.#log = log;
    this.#now = now;
    this.#current = readIdentity(config, now());
    const { subject, issuer, validUntil } = this.#current;
    log.info(
      { subject, issuer, validUntil, minVersion: config.minVersion, groups: config.groups },
      'TLS certificate read',
    );
  }

  get settings(): TlsSettings {
    const { minVersion, groups, approvedOnly } = this.#config;
    return { identity: this.#current.identity, minVersion, groups, approvedOnly };
  }

  /** How many days the certificate lasts; below 0 once it has expired. */
  daysLeft(): number {
    return (this.#current.validUntil.getTime() - this.#now().getTime()) / DAY_MS;
  }

  /** Why what the files hold now is not served with, `undefined` where it is. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Looks at the files again and again, and at once on SIGHUP. @param renew hears of what they hold when that has changed */
  watch(renew: (identity: TlsIdentity) => void): void {
    let looking = Promise.resolve();
    const look = () => {
      looking = looking.then(() => this.#look(renew));
    };
    const timer = setInterval(look, LOOK_MS).unref();
    process.on('SIGHUP', look);
    this.#stop = () => {
      clearInterval(timer);
      process.off('SIGHUP', look);
    };
  }

  stop(): void {
    this.#stop();
  }

  async #look(renew: (identity: TlsIdentity) => void): Promise<void> {
    const { certFile, keyFile, clientCaFile, crlFile } = this.#config;
    const files = [certFile, keyFile, clientCaFile, crlFile].filter((path) => path !== undefined);
    const seen = (await Promise.all(files.map(looksOf))).join('\n');
    if (seen === this.#seen) return;
    try {
      const read = readIdentity(this.#config, this.#now());
      this.#take(read, renew);
      // Read while they were being written, perhaps: what comes next looks different.
      this.#seen = seen;
    } catch (error) {
      this.#seen = undefined;
      this.#refuse(error);
    }
  }

  #take(read: CheckedIdentity, renew: (identity: TlsIdentity) => void): void {
    if (!isSame(read.identity, this.#current.identity)) {
      renew(read.identity);
      this.#current = read;
      const { subject, issuer, validUntil } = read;
      this.#log.info({ subject, issuer, validUntil }, 'TLS files have changed: new connections get what they hold now');
    }
    this.#problem = undefined;
  }

  /** Whatever is wrong with them, the service goes on with what it has. */
  #refuse(error: unknown): void {
    const problem =
      error instanceof ConfigurationError
        ? error.problems.map(({ variable, reason }) => `${variable}: ${reason}`).join('; ')
        : String(error);
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#log.error({ problem }, 'TLS files cannot be served with: the earlier ones stay until they fit together');
  }
}

/** What of a file is another when it was written or replaced, also behind a symbolic link. */
function looksOf(path: string): Promise<string> {
  return stat(path).then(
    ({ dev, ino, size, mtimeMs, ctimeMs }) => [dev, ino, size, mtimeMs, ctimeMs].join(' '),
    // What is wrong with it is said when it is read.
    (error: unknown) => String(error),
  );
}

function isSame(one: TlsIdentity, other: TlsIdentity): boolean {
  return (
    one.certificate === other.certificate &&
    one.key === other.key &&
    one.clientAuthorities === other.clientAuthorities &&
    one.revocations === other.revocations
  );
}
