import { execFileSync, spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ALL_ROUTES } from '@qnsp/kms-contract';
import { fillTemplate, findExecutable, tempDir } from '@qnsp/test-harness';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readConfig } from '../src/config/env.ts';
import { watched } from './watched-environment.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

interface ComposeService {
  readonly image?: string;
  readonly build?: { readonly context: string; readonly dockerfile: string; readonly target: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly depends_on?: Readonly<Record<string, unknown>>;
  readonly healthcheck: { readonly test: readonly string[] };
}

const text = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8');
/** What the head of the file tells the operator to set. */
const operator: Readonly<Record<string, string>> = {
  POSTGRES_PASSWORD: '0123456789abcdef',
  REDIS_PASSWORD: 'fedcba9876543210',
  KMS_GATEWAY_CREDENTIAL: 'ab'.repeat(32),
  HSM_PIN: '1a2b3c4d5e6f7081',
  HSM_SO_PIN: '18f7e6d5c4b3a290',
};
/** What the operator sets who wants evidence as well. */
const withEvidence: Readonly<Record<string, string>> = {
  ...operator,
  KMS_EVIDENCE_ENABLED: 'true',
  AUDIT_BEARER_TOKEN: 'cd'.repeat(32),
  AUDIT_SIGNING_KEY_PEM: generateKeyPairSync('ed25519')
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    // As one line, which the service takes and YAML leaves alone.
    .replaceAll('\n', String.raw`\n`),
  AUDIT_PUBLIC_KEY_FILE: './LICENSE',
};

interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}
const file = composed(operator);
const dockerfile = readFileSync(join(ROOT, 'deploy/Dockerfile'), 'utf8');

/** Puts variables in for `${NAME}`, `${NAME:?message}` and `${NAME:-default}`, and `$` for `$$`, as Compose does. */
function composed(variables: Readonly<Record<string, string>>): ComposeFile {
  const source = text.replaceAll(
    /\$(?:\$|\{(\w+)(?::-([^}]*)|:\?[^}]*)?\})/g,
    (_, name: string | undefined, otherwise: string | undefined) => {
      if (name === undefined) return '$';
      const value = variables[name] ?? otherwise;
      if (value === undefined) throw new Error(`The head of the file does not say how to make ${name}`);
      return value;
    },
  );
  return parse(source) as ComposeFile;
}

function service(
  name: string,
  of: ComposeFile = file,
): ComposeService & { readonly environment: Readonly<Record<string, string>> } {
  const found = of.services[name];
  if (found === undefined) throw new Error(`There is no service ${name}`);
  return { environment: {}, ...found };
}

const SOFTHSM = '/usr/lib/softhsm/libsofthsm2.so';
const KMS = 'kms-service';
const GATEWAY = 'edge-gateway';

describe('docker-compose.yml', () => {
  test('the head says how to make each variable that the file needs', () => {
    const head = text.slice(0, text.indexOf('services:'));
    const optional = new Set([...text.matchAll(/\$\{(\w+):-/g)].map((match) => match[1]));
    const needed = new Set(
      [...text.matchAll(/\$\{(\w+)/g)].map((match) => match[1]).filter((name) => !optional.has(name)),
    );
    expect([...needed].toSorted()).toEqual(Object.keys(operator).toSorted());
    for (const name of needed) expect(head).toContain(`${name}="$(openssl`);
    // The first use of each ends the start with a message when it is unset.
    for (const name of needed) expect(text).toMatch(new RegExp(`\\$\\{${name}:\\?`));
  });

  test('the service knows each of its variables and accepts their values', () => {
    const { environment, asked } = watched(service(KMS, composed(withEvidence)).environment);
    expect(readConfig(environment).evidence).toMatchObject({ bearerToken: withEvidence['AUDIT_BEARER_TOKEN'] });
    expect(Object.keys(service(KMS).environment).filter((name) => !asked.has(name))).toEqual([]);
    const config = readConfig(service(KMS).environment);
    expect(config.evidence).toBeUndefined();
    expect(config).toMatchObject({
      host: '0.0.0.0',
      bootstrapTenant: 'local',
      gatewayCredential: operator['KMS_GATEWAY_CREDENTIAL'],
      root: null,
      hsms: [{ hsm: { modulePath: SOFTHSM, tokenLabel: 'kms', pin: operator['HSM_PIN'] } }],
    });
  });

  test('the token of the HSM is made once, and it is the one that the service looks for', async () => {
    const { build, command = [], environment, volumes } = service('hsm-token');
    expect(build).toEqual(service(KMS).build);
    expect(volumes).toEqual(['hsm:/var/lib/hsm']);
    expect(service(KMS).volumes).toContain('hsm:/var/lib/hsm');
    expect(dockerfile).toContain("'directories.tokendir = /var/lib/hsm\\n");
    const home = tempDir('qnsp-compose-hsm-');
    const SOFTHSM2_CONF = join(home.path, 'softhsm2.conf');
    writeFileSync(SOFTHSM2_CONF, `directories.tokendir = ${home.path}\nobjectstore.backend = file\n`);
    const env = { PATH: process.env['PATH'], ...environment, SOFTHSM2_CONF };
    const run = (argv: readonly string[]) => spawnSync(argv[0] ?? '', argv.slice(1), { env, encoding: 'utf8' });
    for (const start of ['first', 'second']) expect([start, run(command).status]).toEqual([start, 0]);
    const { stdout } = run(['softhsm2-util', '--show-slots']);
    expect([...stdout.matchAll(/^ *Label: *(\S*) *$/gm)].map((match) => match[1]).filter(Boolean)).toEqual([
      service(KMS).environment['KMS_PKCS11_SLOT'],
    ]);
    await home.remove();
  });

  test('the receiver of evidence expects what the service sends', () => {
    const all = composed(withEvidence);
    const { environment, command = [], volumes = [] } = service('audit-receiver', all);
    const audit = new URL(String(service(KMS, all).environment['AUDIT_SERVICE_URL']));
    expect(environment['AUDIT_BEARER_TOKEN']).toBe(service(KMS, all).environment['AUDIT_BEARER_TOKEN']);
    expect(volumes).toContain(`./LICENSE:${environment['AUDIT_PUBLIC_KEY_FILE']}:ro`);
    expect(dockerfile).toContain(`chown node:node /var/lib/kms ${environment['AUDIT_DIRECTORY']}`);
    const source = readFileSync(join(ROOT, command.at(-1) ?? ''), 'utf8');
    for (const name of Object.keys(environment)) expect(source).toContain(name);
    expect(source).toContain(`'${audit.port}'`);
    const health = service('audit-receiver', all).healthcheck.test.join(' ');
    expect(health).toContain(`http://127.0.0.1:${audit.port}/health`);
  });

  test('a variable that the service does not know would be found', () => {
    const { environment, asked } = watched({ ...service(KMS).environment, KMS_CACHE_TLL_SECONDS: '5' });
    readConfig(environment);
    expect(asked.has('KMS_CACHE_TLL_SECONDS')).toBe(false);
  });

  test('the service finds its database and its cache', () => {
    const { environment } = service(KMS);
    const database = new URL(String(environment['DATABASE_URL']));
    const postgres = service(database.hostname).environment;
    expect(database).toMatchObject({
      port: '5432',
      username: postgres['POSTGRES_USER'],
      password: postgres['POSTGRES_PASSWORD'],
      pathname: `/${postgres['POSTGRES_DB']}`,
    });
    const redis = new URL(String(environment['KMS_CACHE_REDIS_URL']));
    expect(redis.port).toBe('6379');
    expect(service(redis.hostname).command).toContain(redis.password);
    expect(Object.keys(service(KMS).depends_on ?? {}).toSorted()).toEqual(['hsm-token', 'postgres', 'redis']);
  });

  test('the image of the service has its port, its directory and its entry', async () => {
    const { build, environment, ports, volumes } = service(KMS);
    expect(existsSync(join(ROOT, build?.context ?? '', build?.dockerfile ?? ''))).toBe(true);
    expect(environment['PORT']).toBe('8095');
    expect(dockerfile).toMatch(/^EXPOSE 8095$/m);
    expect(ports).toEqual(['127.0.0.1:8095:8095']);
    expect(volumes).toContain(`kms:${environment['KMS_DATA_DIR']}`);
    expect(dockerfile).toContain(`chown node:node ${environment['KMS_DATA_DIR']} `);
    for (const { build: made } of Object.values(file.services))
      if (made !== undefined) expect(dockerfile).toContain(` AS ${made.target}\n`);
    const [, place = ''] = /^COPY --from=bundle \/bundle \/app\/(\S+)$/m.exec(dockerfile) ?? [];
    const [, entry = ''] = /^CMD \["node", "([^"]+)"\]$/m.exec(dockerfile) ?? [];
    const bundle = tempDir('qnsp-bundle-');
    execFileSync(process.execPath, [join(ROOT, 'tooling/bin/bundle.mjs'), bundle.path]);
    expect(statSync(join(bundle.path, relative(place, entry))).isFile()).toBe(true);
    await bundle.remove();
    const [, package_ = ''] = /--filter '(@qnsp\/[\w-]+)\.\.\.'/.exec(dockerfile) ?? [];
    const manifest = JSON.parse(readFileSync(join(ROOT, 'apps/kms-service/package.json'), 'utf8')) as { name: string };
    expect(package_).toBe(manifest.name);
  });

  test('each volume that is used is declared, and each file that is mounted is there', () => {
    for (const { volumes = [] } of Object.values(composed(withEvidence).services)) {
      for (const source of volumes.map((volume) => volume.split(':')[0] ?? '')) {
        if (source.startsWith('.')) expect([source, existsSync(join(ROOT, source))]).toEqual([source, true]);
        else expect(Object.keys(file.volumes)).toContain(source);
      }
    }
  });

  test('each image has a version', () => {
    for (const { image, build } of Object.values(file.services))
      if (build === undefined) expect(image).toMatch(/^[\w./-]+:\d+/);
  });

  test('each health check asks what is there', () => {
    const paths = ALL_ROUTES.flatMap((route) => [route, ...(route.also ?? [])]).map(({ path }) => path);
    const [, asked] = /127\.0\.0\.1:8095([^']+)/.exec(service(KMS).healthcheck.test.join(' ')) ?? [];
    expect(paths).toContain(asked);
    expect(service(GATEWAY).healthcheck.test).toContain('http://127.0.0.1:8107/proxy/kms/health');
    expect(service('postgres').healthcheck.test).toContain(
      `--username=${service('postgres').environment['POSTGRES_USER']}`,
    );
  });

  test('nginx accepts the gateway as its variables make it', async () => {
    const { environment, ports, volumes } = service(GATEWAY);
    expect(ports).toEqual(['127.0.0.1:8107:8107']);
    expect(environment).toMatchObject({
      EDGE_LISTEN: '8107',
      EDGE_GATEWAY_CREDENTIAL: service(KMS).environment['KMS_GATEWAY_CREDENTIAL'],
    });
    expect(environment['EDGE_UPSTREAM_SERVERS']).toContain(`server ${KMS}:8095 `);
    expect(volumes).toEqual([
      './deploy/edge-gateway/nginx.conf:/etc/nginx/nginx.conf:ro',
      './deploy/edge-gateway/templates:/etc/nginx/templates:ro',
    ]);
    const home = tempDir('qnsp-compose-');
    const used = fillInto(home.path, environment);
    expect(Object.keys(environment).toSorted()).toEqual([...used].toSorted());
    const nginx = findExecutable('nginx') ?? 'nginx';
    const args = ['-t', '-p', home.path, '-c', join(home.path, 'nginx.conf'), '-e', 'stderr'];
    // A file, which /dev/stdout can be opened as; it can not for the socket that is there otherwise.
    const output = openSync(join(home.path, 'output'), 'w');
    const { status, stderr } = spawnSync(nginx, args, { encoding: 'utf8', stdio: ['ignore', output, 'pipe'] });
    closeSync(output);
    expect(stderr).toContain('test is successful');
    expect(status).toBe(0);
    await home.remove();
  });
});

/** Lays the gateway's configuration out as its container does; gives the variables that the templates use. */
function fillInto(home: string, environment: Readonly<Record<string, string>>): Set<string> {
  const templates = join(ROOT, 'deploy/edge-gateway/templates');
  const { environment: variables, asked } = watched({
    ...environment,
    // The names of Compose's network mean nothing here.
    EDGE_UPSTREAM_SERVERS: String(environment['EDGE_UPSTREAM_SERVERS']).replace(KMS, '127.0.0.1'),
  });
  mkdirSync(join(home, 'conf.d'));
  copyFileSync(join(ROOT, 'deploy/edge-gateway/nginx.conf'), join(home, 'nginx.conf'));
  for (const name of readdirSync(templates)) {
    const filled = fillTemplate(readFileSync(join(templates, name), 'utf8'), variables);
    writeFileSync(join(home, 'conf.d', name.replace(/\.template$/, '')), filled);
  }
  return asked;
}
