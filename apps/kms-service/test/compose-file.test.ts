import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { once } from 'node:events';
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
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ALL_ROUTES } from '@qnsp/kms-contract';
import { fillTemplate, findExecutable, freePort, tempDir } from '@qnsp/test-harness';
import { afterAll, describe, expect, test } from 'vitest';
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
  readonly secrets?: readonly string[];
  readonly network_mode?: string;
  readonly init?: boolean;
  readonly restart?: string;
  readonly stop_grace_period?: string;
  readonly healthcheck?: { readonly test: readonly string[] };
}

const text = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8');
/** The secrets as the head of the file makes them. */
const made = tempDir('qnsp-compose-secrets-');
execFileSync('sh', [join(ROOT, 'deploy/make-secrets.sh'), made.path]);
afterAll(() => made.remove());

interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}
const file = composed({});
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

/** A secret as a container sees it. */
function secret(path: string | undefined): string {
  const name = path?.replace('/run/secrets/', '') ?? '';
  return readFileSync(join(made.path, basename(file.secrets[name]?.file ?? '')), 'utf8').trim();
}

/** With the secrets where this machine has them. */
function here(words: string): string {
  return words.replaceAll(/\/run\/secrets\/([\w-]+)/g, (_, name: string) =>
    join(made.path, basename(file.secrets[name]?.file ?? name)),
  );
}

/** The environment of a service, to be read on this machine. */
function environmentOf(name: string, of: ComposeFile = file): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(service(name, of).environment).map(([key, value]) => [key, here(value)]));
}

const SOFTHSM = '/usr/lib/softhsm/libsofthsm2.so';
const KMS = 'kms-service';
const HOST = 'kms-host';
const GATEWAY = 'edge-gateway';

describe('docker-compose.yml', () => {
  test('the head says how to make the secrets, and nothing has to be set', () => {
    const head = text.slice(0, text.indexOf('secrets:'));
    expect(head).toContain('#   deploy/make-secrets.sh\n');
    expect([...text.matchAll(/\$\{(\w+)(?!\w*:-)/g)].map((match) => match[1])).toEqual([]);
  });

  test('each secret is a file that is made, that no other user reaches, and that only those get who need it', () => {
    for (const [name, { file: path }] of Object.entries(file.secrets)) {
      expect(path, name).toMatch(/^\.\/secrets\/[\w.-]+$/);
      expect(readFileSync(join(made.path, basename(path)), 'utf8').length, name).toBeGreaterThan(16);
    }
    expect(statSync(made.path).mode & 0o777).toBe(0o700);
    expect(readdirSync(made.path)).toHaveLength(Object.keys(file.secrets).length);
    for (const [name, { secrets = [], command = [], environment = {} }] of Object.entries(file.services)) {
      const named = JSON.stringify([command, environment]).matchAll(/\/run\/secrets\/([\w-]+)/g);
      expect([name, new Set(Array.from(named, ([, each]) => each))]).toEqual([name, new Set(secrets)]);
    }
    for (const ignored of ['.gitignore', '.dockerignore'])
      expect(readFileSync(join(ROOT, ignored), 'utf8')).toMatch(/^\/?secrets\/?$/m);
  });

  test('no secret stands in the environment or on a command line that lasts', () => {
    for (const [name, { environment = {} }] of Object.entries(file.services)) {
      const suspicious = Object.keys(environment).filter(
        (key) => /PASSWORD|TOKEN|PIN$|CREDENTIAL|PEM|KEY|_URL/.test(key) && !/_FILE$|^AUDIT_SERVICE_URL$/.test(key),
      );
      expect([name, suspicious]).toEqual([name, []]);
    }
  });

  test('making the secrets again changes none of them', () => {
    const before = readdirSync(made.path).map((name) => readFileSync(join(made.path, name), 'utf8'));
    execFileSync('sh', [join(ROOT, 'deploy/make-secrets.sh'), made.path]);
    expect(readdirSync(made.path).map((name) => readFileSync(join(made.path, name), 'utf8'))).toEqual(before);
  });

  test('the service knows each of its variables and accepts their values', () => {
    const withEvidence = composed({ KMS_EVIDENCE_ENABLED: 'true' });
    const { environment, asked } = watched(environmentOf(KMS, withEvidence));
    expect(readConfig(environment).evidence).toMatchObject({ bearerToken: secret('audit-token') });
    expect(Object.keys(service(KMS).environment).filter((name) => !asked.has(name))).toEqual([]);
    const config = readConfig(environmentOf(KMS));
    expect(config.evidence).toBeUndefined();
    expect(config).toMatchObject({
      host: '0.0.0.0',
      bootstrapTenant: 'local',
      gatewayCredential: secret('gateway-credential'),
      root: null,
      hsms: [{ hsm: { modulePath: SOFTHSM, tokenLabel: 'kms', pin: secret('hsm-pin') } }],
    });
  });

  test('who shares a network shares that of a container that is never replaced by itself', () => {
    const shared = Object.values(file.services).flatMap(
      ({ network_mode: mode }) => mode?.match(/^service:(.+)$/)?.[1] ?? [],
    );
    expect(new Set(shared)).toEqual(new Set([HOST]));
    // It does nothing that could fail, so that its network and its address stay.
    expect(service(HOST)).toMatchObject({ command: ['sleep', 'infinity'], init: true, restart: 'unless-stopped' });
    expect(service(HOST).ports).toEqual(['127.0.0.1:8095:8095']);
    // Where it is replaced after all, by Compose, whoever knew the old one is started again.
    for (const name of [KMS, 'audit-receiver', GATEWAY])
      expect(service(name).depends_on).toMatchObject({ [HOST]: { restart: true } });
    expect(service(GATEWAY).environment['EDGE_UPSTREAM_SERVERS']).toBe(`server ${HOST}:8095 max_fails=0;`);
  });

  test('the service may take as long to stop as it is allowed', () => {
    const { drainDelayMs, shutdownTimeoutMs } = readConfig(environmentOf(KMS));
    const grace = /^(\d+)s$/.exec(service(KMS).stop_grace_period ?? '')?.[1];
    // The farewell to kept connections, and what closing the database may take.
    expect(Number(grace) * 1000).toBeGreaterThan(drainDelayMs + shutdownTimeoutMs + 7000);
  });

  test('a wrong configuration is tried once, and everything else is passed on', async () => {
    const [shell = '', script = '', node = '', ...rest] = service(KMS).command ?? [];
    const entry = rest.at(-1) ?? '';
    const options = rest.slice(0, -1);
    expect([shell, node]).toEqual(['sh', 'node']);
    expect(dockerfile).toContain(`CMD [${['node', ...options, entry].map((word) => `"${word}"`).join(', ')}]`);
    // What runs on a machine and what tests and benchmarks start gets the same from Node.js.
    const given = `NODE_ARGS = [${options.map((option) => `'${option}'`).join(', ')}];`;
    for (const starter of ['tooling/bin/start.mjs', 'tooling/test-harness/src/service.ts'])
      expect(readFileSync(join(ROOT, starter), 'utf8')).toContain(given);
    const run = (...argv: readonly string[]) =>
      spawn(shell, [join(ROOT, script), ...argv], { stdio: ['ignore', 'ignore', 'pipe'] });
    const ending = async (child: ChildProcess) => (await once(child, 'exit')) as [number | null, string | null];
    expect(await ending(run('sh', '-c', 'exit 3'))).toEqual([3, null]);
    expect(await ending(run('sh', '-c', 'exit 0'))).toEqual([0, null]);
    const program =
      "process.on('SIGTERM', () => setTimeout(() => process.exit(7), 200)); console.error('runs'); setInterval(() => 0, 1000)";
    const stopped = run(process.execPath, '--eval', program);
    await once(stopped.stderr, 'data');
    stopped.kill('SIGTERM');
    expect(await ending(stopped)).toEqual([7, null]);

    const wrong = run(process.execPath, '--eval', "console.error('KMS_ROOT_KEY is wrong'); process.exit(78)");
    let said = '';
    wrong.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    await expect.poll(() => said).toMatch(/^KMS_ROOT_KEY is wrong\n.*waiting to be stopped\n$/);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect([wrong.exitCode, said.split('\n')]).toEqual([null, expect.objectContaining({ length: 3 })]);
    wrong.kill('SIGTERM');
    expect(await ending(wrong)).toEqual([78, null]);
  });

  test('the token of the HSM is made once, and it is the one that the service looks for', async () => {
    const { build, command = [], environment, volumes } = service('hsm-token');
    expect(build).toEqual(service(KMS).build);
    expect(environment).toEqual({});
    expect(volumes).toEqual(['hsm:/var/lib/hsm']);
    expect(service(KMS).volumes).toContain('hsm:/var/lib/hsm');
    expect(dockerfile).toContain("'directories.tokendir = /var/lib/hsm\\n");
    const home = tempDir('qnsp-compose-hsm-');
    const SOFTHSM2_CONF = join(home.path, 'softhsm2.conf');
    writeFileSync(SOFTHSM2_CONF, `directories.tokendir = ${home.path}\nobjectstore.backend = file\n`);
    const env = { PATH: process.env['PATH'], SOFTHSM2_CONF };
    const run = (argv: readonly string[]) =>
      spawnSync(argv[0] ?? '', argv.slice(1).map(here), { env, encoding: 'utf8' });
    for (const start of ['first', 'second']) expect([start, run(command).status]).toEqual([start, 0]);
    const { stdout } = run(['softhsm2-util', '--show-slots']);
    expect([...stdout.matchAll(/^ *Label: *(\S*) *$/gm)].map((match) => match[1]).filter(Boolean)).toEqual([
      service(KMS).environment['KMS_PKCS11_SLOT'],
    ]);
    await home.remove();
  });

  test('the receiver of evidence expects what the service sends', () => {
    const { environment, command = [], network_mode: mode } = service('audit-receiver');
    const audit = new URL(String(service(KMS).environment['AUDIT_SERVICE_URL']));
    expect([audit.hostname, mode]).toEqual(['127.0.0.1', service(KMS).network_mode]);
    expect(environment['AUDIT_BEARER_TOKEN_FILE']).toBe(service(KMS).environment['AUDIT_BEARER_TOKEN_FILE']);
    const signing = createPrivateKey(secret(service(KMS).environment['AUDIT_SBOM_SIGNING_PRIVATE_KEY_PEM_FILE']));
    expect(createPublicKey(signing).equals(createPublicKey(secret(environment['AUDIT_PUBLIC_KEY_FILE'])))).toBe(true);
    expect(dockerfile).toContain(`chown node:node /var/lib/kms ${environment['AUDIT_DIRECTORY']}`);
    const source = readFileSync(join(ROOT, command.at(-1) ?? ''), 'utf8');
    for (const name of Object.keys(environment)) expect(source).toContain(name);
    expect(source).toContain(`'${audit.port}'`);
    const health = service('audit-receiver').healthcheck?.test.join(' ');
    expect(health).toContain(`http://127.0.0.1:${audit.port}/health`);
  });

  test('a variable that the service does not know would be found', () => {
    const { environment, asked } = watched({ ...environmentOf(KMS), KMS_CACHE_TLL_SECONDS: '5' });
    readConfig(environment);
    expect(asked.has('KMS_CACHE_TLL_SECONDS')).toBe(false);
  });

  test('the service finds its database and its cache', async () => {
    const { environment } = service(KMS);
    const database = new URL(secret(environment['DATABASE_URL_FILE']));
    const postgres = service(database.hostname).environment;
    expect(database).toMatchObject({
      port: '5432',
      username: postgres['POSTGRES_USER'],
      password: secret(postgres['POSTGRES_PASSWORD_FILE']),
      pathname: `/${postgres['POSTGRES_DB']}`,
    });
    const redis = new URL(secret(environment['KMS_CACHE_REDIS_URL_FILE']));
    expect(redis.port).toBe('6379');
    const [shell = '', ...rest] = service(redis.hostname).command ?? [];
    const port = await freePort();
    const argv = rest.map((argument) => here(argument).replace('redis-server -', `redis-server - --port ${port}`));
    const server = spawn(shell, argv, { stdio: 'ignore' });
    const ping = (...options: readonly string[]) =>
      spawnSync('redis-cli', ['-p', String(port), '--no-auth-warning', ...options, 'ping'], { encoding: 'utf8' })
        .stdout;
    await expect.poll(() => ping(), { timeout: 20_000 }).toContain('NOAUTH');
    expect(ping('-a', redis.password)).toBe('PONG\n');
    server.kill('SIGTERM');
    await once(server, 'exit');
    expect(Object.keys(service(KMS).depends_on ?? {}).toSorted()).toEqual(
      [HOST, 'hsm-token', 'postgres', 'redis'].toSorted(),
    );
  });

  test('the image of the service has its port, its directory and its entry', async () => {
    const { build, environment, volumes } = service(KMS);
    expect(existsSync(join(ROOT, build?.context ?? '', build?.dockerfile ?? ''))).toBe(true);
    expect(environment['PORT']).toBe('8095');
    expect(dockerfile).toMatch(/^EXPOSE 8095$/m);
    expect(volumes).toContain(`kms:${environment['KMS_DATA_DIR']}`);
    expect(dockerfile).toContain(`chown node:node ${environment['KMS_DATA_DIR']} `);
    for (const { build: each } of Object.values(file.services))
      if (each !== undefined) expect(dockerfile).toContain(` AS ${each.target}\n`);
    const [, place = ''] = /^COPY --from=\w+ \/bundle \/app\/(\S+)$/m.exec(dockerfile) ?? [];
    const [, entry = ''] = /^CMD \["node", .*"([^"]+)"\]$/m.exec(dockerfile) ?? [];
    const bundle = tempDir('qnsp-bundle-');
    execFileSync(process.execPath, [join(ROOT, 'tooling/bin/bundle.mjs'), bundle.path]);
    expect(statSync(join(bundle.path, relative(place, entry))).isFile()).toBe(true);
    await bundle.remove();
    const [, package_ = ''] = /--filter '(@qnsp\/[\w-]+)\.\.\.'/.exec(dockerfile) ?? [];
    const manifest = JSON.parse(readFileSync(join(ROOT, 'apps/kms-service/package.json'), 'utf8')) as { name: string };
    expect(package_).toBe(manifest.name);
  });

  test('the image has the command line, which finds the service there', () => {
    expect(dockerfile).toContain(" --filter '@qnsp/kms-cli...' ");
    const [, target = '', link = ''] = /^RUN ln --symbolic (\S+) (\S+)$/m.exec(dockerfile) ?? [];
    expect(link).toBe('packages/kms-cli/node_modules/@qnsp/kms-service');
    expect(join('/', link, '..', target)).toBe('/apps/kms-service');
    const [, entry = ''] = /exec node \/app\/(\S+) /.exec(dockerfile) ?? [];
    expect(statSync(join(ROOT, entry)).isFile()).toBe(true);
  });

  test('each volume that is used is declared, and each file that is mounted is there', () => {
    for (const { volumes = [] } of Object.values(file.services)) {
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
    const [, asked] = /127\.0\.0\.1:8095([^']+)/.exec(service(KMS).healthcheck?.test.join(' ') ?? '') ?? [];
    expect(paths).toContain(asked);
    expect(service(GATEWAY).healthcheck?.test).toContain('http://127.0.0.1:8107/proxy/kms/health');
    expect(service('postgres').healthcheck?.test).toContain(
      `--username=${service('postgres').environment['POSTGRES_USER']}`,
    );
  });

  test('nginx accepts the gateway as its variables make it', async () => {
    const { environment: given, ports, volumes } = service(GATEWAY);
    expect(ports).toEqual(['127.0.0.1:8107:8107']);
    expect(given).toMatchObject({
      EDGE_LISTEN: '8107',
      EDGE_GATEWAY_CREDENTIAL_FILE: service(KMS).environment['KMS_GATEWAY_CREDENTIAL_FILE'],
    });
    expect(volumes).toEqual([
      './deploy/edge-gateway/nginx.conf:/etc/nginx/nginx.conf:ro',
      './deploy/edge-gateway/templates:/etc/nginx/templates:ro',
      './deploy/edge-gateway/10-credential.envsh:/docker-entrypoint.d/10-credential.envsh:ro',
    ]);
    const hook = join(ROOT, 'deploy/edge-gateway/10-credential.envsh');
    // The image passes by what it may not execute.
    expect(statSync(hook).mode & 0o111).toBe(0o111);
    const { EDGE_GATEWAY_CREDENTIAL_FILE: path = '', ...others } = given;
    const sourced = execFileSync('sh', ['-c', `. "${hook}"; printenv EDGE_GATEWAY_CREDENTIAL`], {
      env: { PATH: process.env['PATH'], EDGE_GATEWAY_CREDENTIAL_FILE: here(path) },
      encoding: 'utf8',
    });
    expect(sourced).toBe(`${secret(path)}\n`);
    const environment = { ...others, EDGE_GATEWAY_CREDENTIAL: secret(path) };
    const home = tempDir('qnsp-compose-');
    const used = fillInto(home.path, environment);
    expect(Object.keys(environment).toSorted()).toEqual([...used].toSorted());
    const nginx = findExecutable('nginx') ?? 'nginx';
    const args = ['-t', '-p', home.path, '-c', join(home.path, 'nginx.conf'), '-e', 'stderr'];
    // A file, which /dev/stdout can be opened as; it cannot for the socket that is there otherwise.
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
    EDGE_UPSTREAM_SERVERS: String(environment['EDGE_UPSTREAM_SERVERS']).replace(HOST, '127.0.0.1'),
  });
  mkdirSync(join(home, 'conf.d'));
  copyFileSync(join(ROOT, 'deploy/edge-gateway/nginx.conf'), join(home, 'nginx.conf'));
  for (const name of readdirSync(templates)) {
    const filled = fillTemplate(readFileSync(join(templates, name), 'utf8'), variables);
    writeFileSync(join(home, 'conf.d', name.replace(/\.template$/, '')), filled);
  }
  return asked;
}
