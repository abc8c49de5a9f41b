import { type Logger, pino } from 'pino';
import type { ServiceConfig } from '../config/env.ts';
import { type AccessLog, makeAccessLog } from './access-log.ts';

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
  const timestamp = isoTime();
  const write = turnByTurn();
  const paths = SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]);
  const log = pino(
    {
      level: config.logLevel,
      base: { service: SERVICE },
      timestamp,
      formatters: { level: (label: string) => ({ level: label }) },
      redact: { paths, censor: '[redacted]' },
    },
    { write },
  );
  return {
    log,
    access: log.isLevelEnabled('info') ? makeAccessLog(SERVICE, timestamp, write) : () => undefined,
  };
}

/** Writes the lines of one turn of the event loop at its end, in one call of the system. */
function turnByTurn(): (line: string) => void {
  const output = pino.destination({ fd: process.stdout.fd, sync: true });
  let pending = '';
  const flush = () => {
    const lines = pending;
    pending = '';
    if (lines !== '') output.write(lines);
  };
  process.on('exit', () => {
    flush();
    output.flushSync();
  });
  return (line) => {
    if (pending === '') setImmediate(flush);
    pending += line;
  };
}

/** The time in RFC 3339. Many lines are of the same millisecond. */
function isoTime(): () => string {
  let at = 0;
  let text = '';
  return () => {
    const now = Date.now();
    if (now !== at) {
      at = now;
      text = `,"time":"${new Date(now).toISOString()}"`;
    }
    return text;
  };
}
