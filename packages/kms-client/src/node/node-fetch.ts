import { Agent as PlainAgent, type IncomingMessage, request as requestInTheClear } from 'node:http';
import { Agent, request as requestByTls } from 'node:https';
import { Readable } from 'node:stream';
import { createSecureContext } from 'node:tls';
import { invalidArgument, requireKnown } from '../errors/kms-client-error.ts';

/** How connections are made, where that of the platform's `fetch` is not enough. Certificates and keys are PEM. */
export interface NodeConnection {
  /** The authorities that are trusted, instead of the platform's. */
  readonly ca?: string | undefined;
  /** The certificate of this client, followed by those that lead to its authority. */
  readonly certificate?: string | undefined;
  /** The key of that certificate. */
  readonly key?: string | undefined;
  /** Opens the key where it is encrypted. */
  readonly passphrase?: string | undefined;
  /** The name to ask for and to expect in the certificate of the service, where it is not that of the URL. */
  readonly serverName?: string | undefined;
  /** A socket file to send everything to, in the clear. */
  readonly socketPath?: string | undefined;
}

const OPTIONS = ['ca', 'certificate', 'key', 'passphrase', 'serverName', 'socketPath'];
/** Statuses whose answers have no body. */
const BODILESS = [101, 204, 205, 304];

/**
 * A `fetch` for `createKmsClient` that makes connections in its own way, and keeps them. It sends what this client sends: text, and
 * never follows a redirect.
 *
 * @throws KmsClientError `INVALID_ARGUMENT` for certificates and keys that cannot be read or do not belong together.
 */
export function createNodeFetch(connection: NodeConnection): typeof fetch {
  requireKnown(connection, OPTIONS, 'createNodeFetch');
  const { socketPath } = connection;
  const secure = new Agent({ keepAlive: true, ...tlsOptions(connection) });
  const plain = new PlainAgent({ keepAlive: true });
  return (input, init = {}) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const { method = 'GET', body, signal, headers } = init;
    const options = {
      method,
      headers: Object.fromEntries(new Headers(headers)),
      ...(signal === undefined || signal === null ? {} : { signal }),
      ...(socketPath === undefined ? {} : { socketPath }),
    };
    return new Promise((resolve, reject) => {
      const answered = (incoming: IncomingMessage) => resolve(responseOf(incoming));
      const sent =
        url.protocol === 'https:'
          ? requestByTls(url, { ...options, agent: secure }, answered)
          : requestInTheClear(url, { ...options, agent: plain }, answered);
      sent.once('error', reject);
      sent.end(typeof body === 'string' ? body : undefined);
    });
  };
}

/** The options of Node for a connection. Throws `INVALID_ARGUMENT`. */
export function tlsOptions({ ca, certificate, key, passphrase, serverName }: NodeConnection) {
  if (ca !== undefined && !ca.includes('-----BEGIN CERTIFICATE-----'))
    throw invalidArgument('ca must hold certificates in PEM, which begin with -----BEGIN CERTIFICATE-----.');
  if ((certificate === undefined) !== (key === undefined))
    throw invalidArgument('certificate and key must be given together.');
  const context = {
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(key === undefined ? {} : { key }),
    ...(passphrase === undefined ? {} : { passphrase }),
  };
  try {
    createSecureContext(context);
  } catch (error) {
    // What OpenSSL says names a rule, never the key.
    const reason = error instanceof Error && 'reason' in error ? ` (${String(error.reason)})` : '';
    throw invalidArgument(
      `ca, certificate or key cannot be used${reason}: they must be PEM, the key that of the certificate and, if it is encrypted, given with its passphrase.`,
    );
  }
  return { ...context, ...(serverName === undefined ? {} : { servername: serverName }) };
}

function responseOf(incoming: IncomingMessage): Response {
  const { statusCode = 0, headers } = incoming;
  const entries = Object.entries(headers).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value]],
  );
  if (BODILESS.includes(statusCode)) {
    incoming.resume();
    return new Response(null, { status: statusCode, headers: entries });
  }
  return new Response(Readable.toWeb(incoming), { status: statusCode, headers: entries });
}
