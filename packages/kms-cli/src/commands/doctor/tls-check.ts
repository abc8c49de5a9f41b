import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { tlsOptions } from '@qnsp/kms-client/node';
import type { Connection } from '../../connection/find-connection.ts';
import type { Finding } from './finding.ts';

const LIMIT_MS = 5000;
const DAY_MS = 24 * 60 * 60 * 1000;
/** A certificate that lasts no longer than this should have been renewed. */
const RENEW_DAYS = 14;
const DEFAULT_PORT = 443;

/** What was agreed on with a service under TLS; nothing where there is no such connection, whose reason is another finding. */
export async function checkTls({ baseUrl, tls }: Pick<Connection, 'baseUrl' | 'tls'>): Promise<readonly Finding[]> {
  if (!baseUrl.startsWith('https:')) return [];
  const { hostname, port } = new URL(baseUrl);
  const host = hostname.replace(/^\[|\]$/g, '');
  const socket = connect({
    host,
    port: port === '' ? DEFAULT_PORT : Number(port),
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...tlsOptions(tls),
  });
  // The call over this way failed for the same reason, and says it.
  const agreed = await new Promise<boolean>((resolve) => {
    socket.once('secureConnect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.setTimeout(LIMIT_MS, () => resolve(false));
  });
  const findings = agreed ? [checkAgreement(socket), checkPeriod(socket)] : [];
  socket.destroy();
  return findings;
}

function checkAgreement(socket: TLSSocket): Finding {
  const info: object = socket.getEphemeralKeyInfo() ?? {};
  const group = 'name' in info && typeof info.name === 'string' ? info.name : 'an unknown group';
  const agreed = `${socket.getProtocol()}, key agreement by ${group}`;
  if (/MLKEM/i.test(group)) return { check: 'TLS', status: 'ok', message: agreed };
  return {
    check: 'TLS',
    status: 'warning',
    message: `${agreed}, which is not post-quantum: what is recorded today can be read by a quantum computer later; let the service, or the gateway before it, offer X25519MLKEM768`,
  };
}

function checkPeriod(socket: TLSSocket): Finding {
  const days = Math.floor((Date.parse(socket.getPeerCertificate().valid_to) - Date.now()) / DAY_MS);
  if (days >= RENEW_DAYS) return { check: 'certificate', status: 'ok', message: `is trusted and lasts ${days} days` };
  return { check: 'certificate', status: 'wrong', message: `expires in ${days} days: have it renewed` };
}
