import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setDefaultCACertificates } from 'node:tls';

const DAY_MS = 24 * 60 * 60 * 1000;
const DAYS = 90;

/** A certificate and its key, as PEM files. */
export interface TestCertificate {
  readonly certificate: string;
  readonly key: string;
}

export interface CertificateOptions {
  /** As openssl writes them; default: `DNS:localhost,IP:127.0.0.1`, `` for none. */
  readonly names?: string;
  readonly commonName?: string;
  readonly validFrom?: Date;
  readonly validUntil?: Date;
  /** As for `openssl req -newkey`; default: a key on P-256. */
  readonly newKey?: readonly string[];
  readonly digest?: string;
  /** More lines of extensions, such as `extendedKeyUsage=clientAuth`. */
  readonly extensions?: readonly string[];
  /** Encrypts the key. */
  readonly passphrase?: string;
}

/** An authority that issues certificates, all with the openssl of this machine. */
export interface TestAuthority extends TestCertificate {
  issue(name: string, options?: CertificateOptions): TestCertificate;
  /** An authority of its own under this one. */
  issueAuthority(name: string): TestAuthority;
  revoke(certificate: TestCertificate): void;
  /** The list of what is revoked now, as a PEM file. */
  revocations(): string;
}

const CONFIGURATION = `
[ca]
default_ca = here
[here]
dir = .
database = $dir/index.txt
new_certs_dir = $dir
rand_serial = yes
default_md = sha256
default_days = ${DAYS}
default_crl_days = 30
unique_subject = no
policy = any
copy_extensions = none
[any]
commonName = optional
`;
const EC = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];

/** Makes an authority whose files are in a directory of this name below another. */
export function makeAuthority(below: string, name: string): TestAuthority {
  const directory = prepare(below, name);
  openssl(directory, [
    'req',
    '-x509',
    '-newkey',
    ...EC,
    '-noenc',
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-days',
    String(DAYS),
    '-subj',
    `/CN=${name}`,
    '-addext',
    'keyUsage=critical,keyCertSign,cRLSign',
  ]);
  return authorityIn(directory);
}

function prepare(below: string, name: string): string {
  const directory = join(below, name);
  mkdirSync(directory);
  writeFileSync(join(directory, 'openssl.cnf'), CONFIGURATION);
  writeFileSync(join(directory, 'index.txt'), '');
  return directory;
}

function authorityIn(directory: string): TestAuthority {
  const authority = { certificate: join(directory, 'ca.pem'), key: join(directory, 'ca.key') };
  const asAuthority = ['ca', '-config', 'openssl.cnf', '-batch', '-cert', 'ca.pem', '-keyfile', 'ca.key'];
  const sign = (request: string, out: string, extensions: readonly string[], options: CertificateOptions): void => {
    const { validFrom = new Date(Date.now() - DAY_MS), digest = 'sha256' } = options;
    const { validUntil = new Date(Date.now() + DAYS * DAY_MS) } = options;
    writeFileSync(join(directory, 'extensions'), extensions.map((line) => `${line}\n`).join(''));
    openssl(directory, [
      ...asAuthority,
      '-notext',
      '-in',
      request,
      '-out',
      out,
      '-md',
      digest,
      '-extfile',
      'extensions',
      '-startdate',
      stamp(validFrom),
      '-enddate',
      stamp(validUntil),
    ]);
  };
  const ask = (name: string, { commonName = name, newKey = EC, passphrase }: CertificateOptions): string => {
    openssl(directory, [
      'req',
      '-new',
      '-newkey',
      ...newKey,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
      '-subj',
      `/CN=${commonName}`,
      ...(passphrase === undefined ? ['-noenc'] : ['-passout', `pass:${passphrase}`]),
    ]);
    return `${name}.csr`;
  };
  return {
    ...authority,
    issue: (name, options = {}) => {
      const { names = 'DNS:localhost,IP:127.0.0.1', extensions = [] } = options;
      const lines = ['basicConstraints=CA:FALSE', ...extensions, ...(names === '' ? [] : [`subjectAltName=${names}`])];
      sign(ask(name, options), `${name}.pem`, lines, options);
      return { certificate: join(directory, `${name}.pem`), key: join(directory, `${name}.key`) };
    },
    issueAuthority: (name) => {
      const below = prepare(directory, name);
      const lines = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign'];
      sign(ask(name, {}), join(name, 'ca.pem'), lines, {});
      writeFileSync(join(below, 'ca.key'), readFileSync(join(directory, `${name}.key`)), { mode: 0o600 });
      return authorityIn(below);
    },
    revoke: ({ certificate }) => openssl(directory, [...asAuthority, '-revoke', certificate]),
    revocations: () => {
      openssl(directory, [...asAuthority, '-gencrl', '-out', 'crl.pem']);
      return join(directory, 'crl.pem');
    },
  };
}

/** As openssl takes a time: `20260131235959Z`. */
function stamp(time: Date): string {
  return `${time.toISOString().slice(0, 19).replaceAll(/\D/g, '')}Z`;
}

/** Has everything in this thread that speaks TLS trust the authority, also what has no setting for it, such as `fetch`. */
export function trustAuthority({ certificate }: TestCertificate): void {
  setDefaultCACertificates([readFileSync(certificate, 'utf8')]);
}

function openssl(directory: string, args: readonly string[]): void {
  execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' });
}
