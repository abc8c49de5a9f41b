import cluster from 'node:cluster';
import { KmsError } from '@qnsp/kms-core';
import {
  accessKeyVerifier,
  apiTokenVerifier,
  certificateVerifier,
  installPlatformToken,
  NEWEST_FORMAT,
  noteFipsMode,
  noteSwitch,
  operationOfService,
  presentEpoch,
} from '@qnsp/kms-core/internal';
import { FailedAuthentications, LocalRateLimiter } from '@qnsp/rate-limits';
import packageJson from '../package.json' with { type: 'json' };
import { bootstrap } from './bootstrap.ts';
import { watchPlace } from './commits/watch-place.ts';
import { compose, type Composition, migrate } from './compose.ts';
import { makeClockSkew } from './clock-skew.ts';
import { ConfigurationError, EXIT_CONFIGURATION } from './config/configuration-error.ts';
import { readConfig } from './config/env.ts';
import { plainTextProblem } from './config/read-transport.ts';
import type { FipsConfig } from './config/read-fips.ts';
import type { ServiceConfig } from './config/service-config.ts';
import { machineLimits, requireRoom } from './config/machine-limits.ts';
import { deploymentProtocols } from './deployment-protocols.ts';
import { enterFipsMode } from './fips/enter-fips-mode.ts';
import type { FipsProvider } from './fips/probe-provider.ts';
import { shortenSlice } from './event-loop-slice.ts';
import { joinFleet } from './fleet-settings.ts';
import { httpOf } from './http-of.ts';
import { listen } from './http/listen.ts';
import { type Logger, type Logs, makeLogs } from './http/logger.ts';
import { freeSocketFile, removeSocketFile } from './http/socket-file.ts';
import { jwtCredentials } from './jwt-credentials.ts';
import { makeMetrics } from './metrics.ts';
import { makeReadiness } from './readiness.ts';
import { isStillHere, sealWhenBehind, settlePlace } from './restored-copy.ts';
import { makeRootWork } from './roots/root-work.ts';
import type { FipsFacts, ServiceParts } from './service-parts.ts';
import { runSelfTest } from './self-test.ts';
import { startLoggedWork } from './scheduled-work.ts';
import { TlsFiles } from './tls/tls-files.ts';
import { transportCheck } from './tls/transport-check.ts';
import { yieldThreadPool } from './thread-pool.ts';
import { watchFleet } from './watch-fleet.ts';
import { welcomeText } from './welcome.ts';
import { superviseWorkers } from './workers/primary.ts';
import { isFirstWorker, reportStarted } from './workers/worker.ts';

const VERSION = packageJson.version;
/** What closing the database may take after the last request. */
const STOP_MARGIN_MS = 5000;

/** What was started and has to be stopped, the last first. */
type Stops = (() => Promise<void> | void)[];

/** Starts the service, part by part; each running part is in `stops`, even if a later one fails. */
async function start(config: ServiceConfig, fips: FipsFacts | undefined, logs: Logs, stops: Stops): Promise<void> {
  const { log } = logs;
  if (fips !== undefined) log.info({ fips }, 'in FIPS mode');
  const { cryptoPolicy } = config;
  if (cryptoPolicy !== undefined && isFirstWorker())
    log.info(
      { policy: cryptoPolicy.name, sources: cryptoPolicy.sources },
      'the crypto policy decides which algorithms are used',
    );
  requireRoom(config, machineLimits());
  const tls = config.tls && new TlsFiles(config.tls, log);
  const exposed = plainTextProblem(config);
  if (exposed !== undefined && isFirstWorker()) log.warn(exposed);
  const composition = await compose(config, log);
  const { opened, kms, caches, hardware, evidence, writeProblem } = composition;
  stops.push(() => composition.close());
  // Before anything is left in evidence: a node that must not be there leaves nothing.
  const fleet = await joinFleet(composition.fleet, config, VERSION, log, composition.format);
  stops.push(() => fleet.leave());
  const skew = makeClockSkew(composition.clock, config.clockSkewLimitSeconds);
  const readiness = makeReadiness(skew.refusal);
  const { gatewayCredential } = config;
  const metrics = makeMetrics(kms, caches, config.metricsByTenant);
  if (tls !== undefined) metrics.observeCertificate(() => tls.daysLeft());
  if (evidence !== undefined) stops.push(() => evidence.stop());
  const rootWork = makeRootWork(kms, log, config.hsmSweep, () => composition.format.written === NEWEST_FORMAT);
  const sweeps = () => rootWork.sweeps();
  const bearers = [apiTokenVerifier(kms), ...jwtCredentials(config.jwtIssuers, kms, metrics, log)];
  const signed = config.aws === undefined ? [] : [accessKeyVerifier(kms)];
  const others = [...bearers, ...signed];
  const asksClients = config.tls?.clientCaFile !== undefined;
  const verifiers = asksClients ? [certificateVerifier(kms, others), ...others] : others;
  const { limits } = config;
  const rateLimiter = new LocalRateLimiter({
    ...limits,
    nodes: () => fleet.size(),
    onRefused: (limit) => metrics.rateRefused(limit),
  });
  fleet.exchange(rateLimiter.demand);
  const addressLimiter =
    limits.failures &&
    new FailedAuthentications({
      limit: limits.failures,
      nodes: () => fleet.size(),
      onRefused: () => metrics.rateRefused('address'),
    });
  const parts: ServiceParts = {
    opened,
    kms,
    verifiers,
    rateLimiter,
    addressLimiter,
    logs,
    readiness,
    caches,
    metrics,
    version: VERSION,
    fips,
    gatewayCredential,
    aws: config.aws,
    skew,
    fleet,
    evidence,
    transport: () => transportCheck(config, tls),
    protocols: (reach) => deploymentProtocols(config, { tls, hsms: hardware.hsms }, reach),
    writeProblem,
    hardware,
    sweeps,
  };
  // Before anybody can connect: a gateway tries another node when nobody listens, not when one refuses.
  const works = await runSelfTest(readiness, log, { requireFips: config.requireFips && !config.fips?.legacyRead });
  yieldThreadPool(log);
  shortenSlice(log);
  const settled = works && (await settlePlace(composition, config.acceptRestoredCopy, readiness, log));
  if (settled) await installPlatformToken(operationOfService(kms, 'installPlatformToken'), config.platformToken);
  const listening = await listen(httpOf(parts), config, tls?.settings);
  stops.push(() => listening.stop());
  tls?.watch((identity) => listening.renew(identity));
  stops.push(() => tls?.stop());
  const mayWork = async () => {
    const here = await isStillHere(composition, readiness, log);
    if (!here) await evidence?.halt(log);
    else await fleet.renew();
    return here;
  };
  if (settled) {
    sealWhenBehind(composition, readiness, log);
    const place = watchPlace(caches.feed, mayWork, log);
    stops.push(() => place.stop());
    // Limits of single tenants and tokens come at any time: nobody is asked for their sake until one of them is used.
    const isDivided = () => rateLimiter.limitsAll || rateLimiter.demand.isInUse;
    const renew = async () => (isDivided() ? fleet.renew() : undefined);
    const watch = watchFleet({ renew }, readiness, log);
    stops.push(() => watch.stop());
    if (isFirstWorker()) await noteStartIfPossible(composition, fips, log);
    evidence?.start(log, await presentEpoch(composition.copies), (report) => metrics.observeEvidence(report));
    const first = await bootstrap(kms, config, listening.baseUrl);
    if (first !== undefined && isFirstWorker()) process.stderr.write(welcomeText(first));
    const { jobIntervalMs: intervalMs, tokenRetentionSeconds, masterKeyRotationDays } = config;
    const schedule = { intervalMs, tokenRetentionSeconds, masterKeyRotationDays, mayWork };
    const work = startLoggedWork(kms, { rootWork, ...schedule, log });
    stops.push(() => work.stop());
  }
  readiness.started();
  log.info({ baseUrl: listening.baseUrl }, 'listening');
  stops.push(() => readiness.stopping());
  reportStarted();
}

async function noteStartIfPossible(
  { evidence, evidenceStore, kms }: Composition,
  fips: FipsFacts | undefined,
  log: Logger,
): Promise<void> {
  try {
    await noteSwitch(evidenceStore, evidence !== undefined, kms.clock);
    if (evidence !== undefined && fips !== undefined) await noteFipsMode(evidenceStore, fips, kms.clock);
  } catch (error) {
    // A database that only reads is served from as well; the next start tries again.
    if (!KmsError.is(error) || error.code !== 'STORE_UNAVAILABLE') throw error;
    log.error(
      { err: error },
      'could not record in the evidence whether it is kept from now on, and with what cryptography',
    );
  }
}

/**
 * Stops once, no matter who asks first: a terminal sends Ctrl-C to the whole process group. Work that is still running
 * on the thread pool then, as of a client that went away, does not keep the process.
 */
function stopOnSignal(stops: Stops, config: ServiceConfig, log: Logger): void {
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals) => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'stopping');
    setTimeout(
      () => {
        log.error('stopping took too long');
        process.exit(1);
      },
      config.drainDelayMs + config.shutdownTimeoutMs + STOP_MARGIN_MS,
    ).unref();
    void stopAll(stops).then(
      () => {
        log.info('stopped');
        process.exit(0);
      },
      (error: unknown) => {
        log.error({ err: error }, 'stopping failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
}

async function stopAll(stops: Stops): Promise<void> {
  for (let stop = stops.pop(); stop !== undefined; stop = stops.pop()) await stop();
}

async function run(config: ServiceConfig, fips: FipsFacts | undefined, logs: Logs): Promise<void> {
  const { log } = logs;
  if (config.database.kind === 'postgres' && config.database.migrate === 'only') {
    await migrate(config.database, log);
    log.info('the database is up to date');
    return;
  }
  const { listenUnix } = config;
  if (listenUnix !== undefined && cluster.isPrimary) await freeSocketFile(listenUnix);
  if (config.workers > 1 && cluster.isPrimary) {
    const stopLimitMs = config.drainDelayMs + config.shutdownTimeoutMs + 2 * STOP_MARGIN_MS;
    const heedsHangUp = config.tls !== undefined;
    const exitCode = await superviseWorkers({ count: config.workers, stopLimitMs, heedsHangUp }, log);
    if (listenUnix !== undefined) await removeSocketFile(listenUnix);
    process.exit(exitCode);
  }
  const stops: Stops = [];
  stopOnSignal(stops, config, log);
  try {
    await start(config, fips, logs, stops);
  } catch (error) {
    await stopAll(stops);
    throw error;
  }
}

function factsOfFips({ certificate, legacyRead }: FipsConfig, provider: FipsProvider): FipsFacts {
  return { ...provider, certificate, legacyRead };
}

try {
  const config = readConfig(process.env);
  const provider = config.fips && enterFipsMode(config.fips, config.dataDir);
  const fips = config.fips && provider && factsOfFips(config.fips, provider);
  await run(config, fips, makeLogs(config));
} catch (error) {
  const expected = error instanceof ConfigurationError || KmsError.is(error);
  if (!expected) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = error instanceof ConfigurationError ? EXIT_CONFIGURATION : 1;
  // A worker would live as long as it can hear the process above it.
  cluster.worker?.disconnect();
}
