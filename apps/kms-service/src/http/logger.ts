import { type Logger, pino } from 'pino';
import type { ServiceConfig } from '../config/env.ts';

export type { Logger };

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

/** The service's log: one JSON object a line on standard output. */
export function makeLogger(config: Pick<ServiceConfig, 'logLevel'>): Logger {
  return pino({
    level: config.logLevel,
    base: { service: 'kms-service' },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]), censor: '[redacted]' },
  });
}
