import { plainTextProblem, type TransportConfig } from '../config/read-transport.ts';
import type { TlsFiles } from './tls-files.ts';

/** A certificate that lasts no longer than this should have been renewed. */
const RENEW_DAYS = 14;

/** How the service is spoken to, for its health. */
export interface TransportCheck {
  readonly status: 'ok' | 'degraded';
  readonly message?: string;
}

/**
 * How the service is spoken to: degraded when its certificate should have been renewed. Plain HTTP beyond this machine is what a
 * gateway on a network of its own needs, so it only has to be known.
 */
export function transportCheck(config: TransportConfig, tls: TlsFiles | undefined): TransportCheck {
  const message = tls === undefined ? plainTextProblem(config) : undefined;
  if (tls === undefined) return message === undefined ? { status: 'ok' } : { status: 'ok', message };
  if (tls.problem !== undefined)
    return {
      status: 'degraded',
      message: `the TLS files have changed but cannot be served with, so the earlier ones are: ${tls.problem}`,
    };
  const problem = expiryProblem(tls.daysLeft());
  return problem === undefined ? { status: 'ok' } : { status: 'degraded', message: problem };
}

/** What to do about a certificate that lasts so long, `undefined` where nothing has to be done yet. */
export function expiryProblem(daysLeft: number): string | undefined {
  if (daysLeft <= 0) return 'the TLS certificate has expired, so clients refuse to connect: renew it';
  if (daysLeft >= RENEW_DAYS) return undefined;
  return `the TLS certificate expires in ${Math.floor(daysLeft)} days: renew it`;
}
