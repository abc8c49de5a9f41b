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
  const output = openOutput();
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
    access: log.isLevelEnabled('info')
      ? makeAccessLog(SERVICE, timestamp, (line) => output.gather(line))
      : () => undefined,
  };
}

/** How long the line of a request may wait for others, and how many characters are written at once. */
const GATHER_MS = 10;
const ENOUGH_CHARACTERS = 32 * 1024;

/** The output of the process. */
interface Output {
  /** Writes a line at the end of this turn of the event loop. */
  write(line: string): void;
  /** Writes a line together with others that come within a few milliseconds: each write is a call of the system. */
  gather(line: string): void;
}

function openOutput(): Output {
  const output = pino.destination({ fd: process.stdout.fd, sync: true });
  let pending = '';
  let timer: NodeJS.Timeout | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
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
      pending += line;
      setImmediate(flush);
    },
    gather: (line) => {
      pending += line;
      if (pending.length >= ENOUGH_CHARACTERS) flush();
      else timer ??= setTimeout(flush, GATHER_MS);
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
