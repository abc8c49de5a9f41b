import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { findExecutable, findPkcs11Module, findPostgresBinaries } from '@qnsp/test-harness';

const APT_LOCK = '/tmp/qnsp-kms-apt.lock';
const INSTALL_LIMIT_MS = 10 * 60_000;

interface Requirement {
  readonly debianPackage: string;
  /** A server that this variable names is used instead. */
  readonly variable?: string;
  readonly isInstalled: () => boolean;
  /** Large, and needed by few tests: without it the run continues, and those tests fail and say why. */
  readonly optional?: true;
}

const REQUIREMENTS: readonly Requirement[] = [
  {
    debianPackage: 'postgresql',
    variable: 'TEST_DATABASE_URL',
    isInstalled: () => findPostgresBinaries() !== undefined,
  },
  {
    debianPackage: 'redis-server',
    variable: 'TEST_REDIS_URL',
    isInstalled: () => findExecutable('redis-server') !== undefined,
  },
  {
    debianPackage: 'softhsm2',
    variable: 'TEST_PKCS11_MODULE',
    isInstalled: () => findPkcs11Module() !== undefined && findExecutable('softhsm2-util') !== undefined,
  },
  {
    debianPackage: 'opensc',
    variable: 'TEST_PKCS11_MODULE',
    isInstalled: () => findExecutable('pkcs11-tool') !== undefined,
  },
  // The native part of pkcs11js, and the module that makes the faults of an HSM.
  { debianPackage: 'g++', isInstalled: () => findExecutable('g++') !== undefined },
  { debianPackage: 'gcc', isInstalled: () => findExecutable('gcc') !== undefined },
  { debianPackage: 'libc6-dev', isInstalled: () => existsSync('/usr/include/dlfcn.h') },
  { debianPackage: 'make', isInstalled: () => findExecutable('make') !== undefined },
  { debianPackage: 'python3', isInstalled: () => findExecutable('python3') !== undefined },
  { debianPackage: 'nginx-light', isInstalled: () => findExecutable('nginx') !== undefined },
  // For one test of a release.
  { debianPackage: 'haproxy', isInstalled: () => findExecutable('haproxy') !== undefined, optional: true },
  { debianPackage: 'pgbouncer', isInstalled: () => findExecutable('pgbouncer') !== undefined },
  // The shells that the command line completes words in.
  { debianPackage: 'zsh', isInstalled: () => findExecutable('zsh') !== undefined },
  { debianPackage: 'fish', isInstalled: () => findExecutable('fish') !== undefined },
  { debianPackage: 'chromium', isInstalled: () => findExecutable('chromium') !== undefined, optional: true },
];

/** The Debian packages that this machine still lacks for the tests. */
export function missingPackages(
  environment: NodeJS.ProcessEnv,
  requirements: readonly Requirement[] = REQUIREMENTS,
): { readonly required: readonly string[]; readonly optional: readonly string[] } {
  const missing = requirements
    .filter(({ variable }) => variable === undefined || environment[variable] === undefined)
    .filter(({ isInstalled }) => !isInstalled());
  const names = (optional: boolean) =>
    missing.filter((each) => (each.optional ?? false) === optional).map(({ debianPackage }) => debianPackage);
  return { required: names(false), optional: names(true) };
}

function rootPrefix(): readonly string[] | undefined {
  if (process.getuid?.() === 0) return [];
  const sudo = findExecutable('sudo');
  if (sudo !== undefined && spawnSync(sudo, ['-n', 'true'], { stdio: 'ignore' }).status === 0) return [sudo, '-n'];
  return undefined;
}

function install(packages: readonly string[], prefix: readonly string[]): void {
  // The policy keeps the packages from starting their own servers: the tests start theirs.
  const script = `
    set -e
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
      trap 'rm -f "$policy"' EXIT
      trap 'exit 1' HUP INT TERM
      printf '#!/bin/sh\\nexit 101\\n' > "$policy"
      chmod 755 "$policy"
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update
    apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 ${packages.join(' ')}`;
  spawnSync('env', [...prefix, 'flock', APT_LOCK, 'sh', '-c', script], {
    stdio: ['ignore', 2, 2],
    timeout: INSTALL_LIMIT_MS,
  });
}

/** Installs what the tests run against, or says what to install by hand. */
export function ensureSystemPackages(environment: NodeJS.ProcessEnv): void {
  const { required, optional } = missingPackages(environment);
  if (required.length + optional.length === 0) return;
  const prefix = existsSync('/usr/bin/apt-get') ? rootPrefix() : undefined;
  if (prefix !== undefined) {
    // One after the other, so that what is optional cannot block what is required.
    for (const packages of [required, optional]) if (packages.length > 0) install(packages, prefix);
  }
  const still = missingPackages(environment);
  if (still.optional.length > 0) {
    process.stderr.write(
      `Not installed (Debian's package names): ${still.optional.join(' ')}. The tests that need them will fail.\n`,
    );
  }
  if (still.required.length === 0) return;
  throw new Error(
    `The tests need these, which are not installed (Debian's package names): ${still.required.join(' ')}\n` +
      'Install them, or name running servers in TEST_DATABASE_URL, TEST_REDIS_URL and TEST_PKCS11_MODULE.',
  );
}
