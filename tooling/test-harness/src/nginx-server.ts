import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findExecutable } from './executable.ts';
import { accepts } from './port-accepts.ts';
import { startServerProcess } from './server-process.ts';
import { tempDir } from './temp-dir.ts';
import { waitUntil } from './wait-until.ts';

const READY_LIMIT_MS = 120_000;
const TEMPLATE_SUFFIX = '.template';

export interface NginxOptions {
  /** The main configuration file. */
  readonly configuration: string;
  /** Directories of templates, which become the files in `conf.d` beside the main configuration. */
  readonly templates: readonly string[];
  /** The values of `${NAME}` in the templates. */
  readonly variables: Readonly<Record<string, string>>;
  /** The loopback port on which the configuration listens. */
  readonly port: number;
}

export interface NginxServer {
  readonly port: number;
  readonly pid: number;
  /** What it has written to stderr. */
  logs(): string;
  stop(): Promise<void>;
}

/** Fills a template in as the official images of nginx do: `${NAME}` of a known name is replaced, all else stays. */
export function fillTemplate(template: string, variables: Readonly<Record<string, string | undefined>>): string {
  return template.replaceAll(/\$\{([A-Z][A-Z0-9_]*)\}/g, (_, name: string) => {
    const value = variables[name];
    if (value === undefined) throw new Error(`The template needs a value for ${name}`);
    return value;
  });
}

/** Starts nginx in its own directory and waits until it accepts connections. */
export async function startNginx(options: NginxOptions): Promise<NginxServer> {
  const executable = findExecutable('nginx');
  if (executable === undefined) throw new Error('nginx is not installed');
  const home = tempDir('qnsp-nginx-');
  const conf = join(home.path, 'conf');
  mkdirSync(join(conf, 'conf.d'), { recursive: true });
  copyFileSync(options.configuration, join(conf, 'nginx.conf'));
  for (const directory of options.templates) {
    for (const file of readdirSync(directory).filter((name) => name.endsWith(TEMPLATE_SUFFIX))) {
      const text = fillTemplate(readFileSync(join(directory, file), 'utf8'), options.variables);
      writeFileSync(join(conf, 'conf.d', file.slice(0, -TEMPLATE_SUFFIX.length)), text);
    }
  }
  const server = await startServerProcess({
    command: {
      file: executable,
      args: ['-p', home.path, '-c', join(conf, 'nginx.conf'), '-e', 'stderr', '-g', 'daemon off;'],
    },
    // This is how it ends its workers, which it cannot do once it is killed.
    deathSignal: 'SIGQUIT',
    cwd: home.path,
    // Far from UTC, which the tests would otherwise take for granted.
    env: { PATH: process.env['PATH'], TZ: 'Asia/Tokyo' },
  });
  const stop = async (): Promise<void> => {
    if (server.isRunning()) await server.stop();
    await home.remove();
  };
  try {
    await waitUntil({
      isReady: () => accepts(options.port),
      hasFailed: () => !server.isRunning(),
      describeFailure: () => `nginx did not become ready:\n${server.logs()}`,
      limitMs: READY_LIMIT_MS,
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { port: options.port, pid: server.pid, logs: () => server.logs(), stop };
}
