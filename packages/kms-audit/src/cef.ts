import type { AuditEvent } from '@qnsp/kms-core';
import type { AuditResult, ChainedEvent } from '@qnsp/kms-core/ports';

const SEVERITY: Readonly<Record<AuditResult, number>> = { success: 3, failure: 5, denied: 7 };

/**
 * An event in the Common Event Format, version 0, as a line without its line feed. It carries the hash and the place of
 * the event, but cannot be verified by itself: verify the JSON Lines export.
 *
 * @param version of the service, for the header
 */
export function toCef({ sequence, hash, event }: ChainedEvent, version: string): string {
  const header = ['CEF:0', 'QNSP', 'KMS', version, event.eventType, event.action, String(SEVERITY[event.result])];
  return `${header.map(escapeHeader).join('|')}|${extension(event, sequence, hash)}`;
}

function extension(event: AuditEvent, sequence: number, hash: string): string {
  const { actor, resource, context } = event;
  const fields: readonly (readonly [string, string | number | null])[] = [
    ['rt', Date.parse(event.timestamp)],
    ['externalId', event.eventId],
    ['act', event.action],
    ['outcome', event.result],
    ['reason', event.errorCode ?? null],
    ['cnt', event.refusedBefore === undefined ? null : event.refusedBefore + 1],
    ['suid', actor.id],
    ['spriv', actor.type],
    [context.ip?.includes(':') ? 'c6a2' : 'src', context.ip],
    ['c6a2Label', context.ip?.includes(':') ? 'sourceAddress' : null],
    ['requestClientApplication', context.userAgent],
    ['cs1Label', 'tenantId'],
    ['cs1', event.tenantId],
    ['cs2Label', `${resource.type}Id`],
    ['cs2', resource.id],
    ['cs3Label', 'requestId'],
    ['cs3', context.requestId],
    ['cs4Label', 'hash'],
    ['cs4', hash],
    ['cs5Label', event.refusedFor === undefined ? null : 'refusedFor'],
    ['cs5', event.refusedFor ?? null],
    ['cn1Label', 'sequence'],
    ['cn1', sequence],
    ['cn2Label', 'version'],
    ['cn2', resource.version],
  ];
  return fields
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}=${escapeExtension(String(value))}`)
    .join(' ');
}

/** What some readers take for the end of a line: those that Unicode (UAX 14) and the splitlines of Python name. */
// oxlint-disable-next-line no-control-regex
const LINE_ENDS = /[\n\u000b\u000c\u001c-\u001e\u0085\u2028\u2029]/g;

function escapeHeader(text: string): string {
  return text.replaceAll(/[\\|]/g, '\\$&').replaceAll('\r', ' ').replaceAll(LINE_ENDS, ' ');
}

function escapeExtension(text: string): string {
  return text.replaceAll(/[\\=]/g, '\\$&').replaceAll('\r', '\\r').replaceAll(LINE_ENDS, '\\n');
}
