import { type AccessLog, makeAccessLog } from '@qnsp/http-edge';
import { type Logger, pino, stdTimeFunctions } from 'pino';
import type { ServiceConfig } from '../config/service-config.ts';
import { openOutput } from './log-output.ts';

export type { Logger };

/** The two ways into the one log. */
export interface Logs {
  readonly log: Logger;
  /** For the line that a request leaves. */
  readonly access: AccessLog;
}

/** Fields that may hold a credential or key material wherever an object reaches the log. */
const SECRET_FIELDS = [
  'authorization',
  'token',
  'apiToken',
  'password',
  'pin',
  'plaintext',
  'dataKey',
  'secret',
  'sharedSecret',
  'derivedKey',
  'key',
  'privateKey',
  'cookie',
];

const SERVICE = 'kms-service';

/** The service's log: one JSON object a line on standard output. */
export function makeLogs(config: Pick<ServiceConfig, 'logLevel'>): Logs {
  const timestamp = stdTimeFunctions.isoTime;
  const output = openOutput(
    (dropped, reason) =>
      `{"level":"warn"${timestamp()},"service":"${SERVICE}","dropped":${dropped},"reason":${JSON.stringify(reason)},"msg":"lines of the log could not be written and were dropped"}\n`,
  );
  process.on('exit', () => output.finish());
  const paths = SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]);
  const log = pino(
    {
      level: config.logLevel,
      base: { service: SERVICE },
      timestamp,
      formatters: { level: (label: string) => ({ level: label }) },
      redact: { paths, censor: '[redacted]' },
    },
    output,
  );
  return {
    log,
    access: log.isLevelEnabled('info') ? makeAccessLog(SERVICE, output.gather) : () => undefined,
  };
}
