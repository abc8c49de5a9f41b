import { randomUUID } from 'node:crypto';

const SANE = /^[\w.:-]{1,128}$/;

/** The client's request id when it is a sane token, else a new one. */
export function requestId(header: string | string[] | undefined): string {
  return typeof header === 'string' && SANE.test(header) ? header : randomUUID();
}
