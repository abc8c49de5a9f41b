import { type Logger, pino } from 'pino';
import type { ServiceConfig } from '../config/env.ts';

export type { Logger };

/** The two ways into the one log. */
export interface Logs {
  readonly log: Logger;
  /**
   * For lines that are made of named fields only, each of them known to hold no secret: it looks for none, which on every
   * request would cost more than writing the line.
   */
  readonly access: Logger;
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

/** The service's log: one JSON object a line on standard output. */
export function makeLogs(config: Pick<ServiceConfig, 'logLevel'>): Logs {
  const options = {
    level: config.logLevel,
    base: { service: 'kms-service' },
    timestamp: isoTime(),
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const destination = turnByTurn();
  const paths = SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]);
  return {
    log: pino({ ...options, redact: { paths, censor: '[redacted]' } }, destination),
    access: pino(options, destination),
  };
}

/** Writes the lines of one turn of the event loop at its end, in one call of the system. */
function turnByTurn(): { write(line: string): void } {
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
  return {
    write: (line) => {
      if (pending === '') setImmediate(flush);
      pending += line;
    },
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
