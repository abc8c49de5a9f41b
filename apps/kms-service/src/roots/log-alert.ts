import type { AlertSink } from '@qnsp/kms-core';
import type { Logger } from '../http/logger.ts';

/** Writes alerts to the log: what is back as information, everything else as an error. */
export function logAlert(log: Logger): AlertSink {
  return ({ kind, message, cause }) => {
    if (kind === 'root-back' || kind === 'hardware-random-back') log.info({ alert: kind }, message);
    else log.error({ alert: kind, err: cause }, message);
  };
}
