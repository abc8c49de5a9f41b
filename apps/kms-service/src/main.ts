import { installPlatformToken } from '@qnsp/kms-core';
import packageJson from '../package.json' with { type: 'json' };
import { makeApp } from './app.ts';
import { bootstrap } from './bootstrap.ts';
import { compose, migrate } from './compose.ts';
import { ConfigurationError, EXIT_CONFIGURATION } from './config/configuration-error.ts';
import { readConfig, type ServiceConfig } from './config/env.ts';
import { enterFipsMode } from './fips-mode.ts';
import { listen, type Listening } from './http/listen.ts';
import { type Logger, makeLogger } from './http/logger.ts';
import { makeMetrics } from './metrics.ts';
import { makeReadiness } from './readiness.ts';
import { runSelfTest } from './self-test.ts';
import { startScheduledWork } from './scheduled-work.ts';
import { welcomeText } from './welcome.ts';

const VERSION = packageJson.version;

/** Starts the service. Answers how to stop it. */
async function start(config: ServiceConfig, log: Logger): Promise<() => Promise<void>> {
  if (config.requireFips) enterFipsMode();
  const composition = await compose(config);
  const { kms } = composition;
  const readiness = makeReadiness();
  let listening: Listening;
  try {
    listening = await listen(makeApp({ kms, log, readiness, metrics: makeMetrics(), version: VERSION }), config);
    if (config.platformToken !== undefined) await installPlatformToken(kms, config.platformToken);
    const first = await bootstrap(kms, config, listening.baseUrl);
    log.info({ baseUrl: listening.baseUrl }, 'listening');
    if (first !== undefined) process.stderr.write(welcomeText(first));
  } catch (error) {
    await composition.close();
    throw error;
  }
  const work = startScheduledWork(kms, config.jobIntervalMs, log);
  await runSelfTest(readiness, log, config);
  return async () => {
    readiness.stopping();
    await work.stop();
    await listening.stop();
    await composition.close();
  };
}

/** Stops once, whoever asks first: a terminal sends Ctrl-C to the whole process group. */
function stopOnSignal(stop: () => Promise<void>, log: Logger): void {
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals) => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'stopping');
    stop().then(
      () => {
        log.info('stopped');
        process.exitCode = 0;
      },
      (error: unknown) => {
        log.error({ err: error }, 'stopping failed');
        process.exitCode = 1;
      },
    );
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
}

try {
  const config = readConfig(process.env);
  const log = makeLogger(config);
  if (config.database.kind === 'postgres' && config.database.migrate === 'only') {
    await migrate(config.database);
    log.info('the database is up to date');
  } else {
    stopOnSignal(await start(config, log), log);
  }
} catch (error) {
  if (!(error instanceof ConfigurationError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = EXIT_CONFIGURATION;
}
