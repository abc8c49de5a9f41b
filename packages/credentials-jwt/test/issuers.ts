import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { Provider } from 'oidc-provider';

export const AUDIENCE = 'https://kms.example';

/** A server on this machine that counts what it is asked for. */
export interface CountingServer {
  readonly url: string;
  readonly asked: string[];
  /** What it answers from now on. */
  answer(listener: RequestListener): void;
  close(): Promise<void>;
}

export async function countingServer(): Promise<CountingServer> {
  let listener: RequestListener = (_request, response) => void response.writeHead(404).end();
  const asked: string[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    asked.push(request.url ?? '');
    listener(request, response);
  });
  await listening(server);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    answer: (next) => {
      listener = next;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function listening(server: Server): Promise<void> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
}

/** A key pair of an issuer. */
export interface IssuerPair {
  readonly algorithm: string;
  readonly kid: string;
  readonly publicJwk: JWK;
  readonly privateJwk: JWK;
  sign(claims: object, header?: object): Promise<string>;
}

export async function issuerPair(kid: string, algorithm = 'ES256'): Promise<IssuerPair> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  const named = { kid, alg: algorithm, use: 'sig' };
  return {
    algorithm,
    kid,
    publicJwk: { ...(await exportJWK(publicKey)), ...named },
    privateJwk: { ...(await exportJWK(privateKey)), ...named },
    sign: (claims, header = {}) =>
      new SignJWT({ ...claims }).setProtectedHeader({ alg: algorithm, kid, ...header }).sign(privateKey),
  };
}

/** Answers a JWK Set at every address. */
export function keySet(...keys: readonly JWK[]): RequestListener {
  return (_request, response) =>
    void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ keys }));
}

const CLIENT = { id: 'orders', secret: 'the secret of a client in a test' };

/** A certified OpenID provider, which gives JWTs to a client for its credentials. */
export interface RealIssuer extends CountingServer {
  /** Signs with other keys from now on, the first one for new tokens. */
  rotate(...pairs: readonly IssuerPair[]): void;
  token(): Promise<string>;
}

export async function realIssuer(pair: IssuerPair): Promise<RealIssuer> {
  const server = await countingServer();
  const rotate = (...pairs: readonly IssuerPair[]): void => {
    const provider = new Provider(server.url, {
      jwks: { keys: pairs.map(({ privateJwk }) => privateJwk) },
      clients: [
        {
          client_id: CLIENT.id,
          client_secret: CLIENT.secret,
          grant_types: ['client_credentials'],
          redirect_uris: [],
          response_types: [],
          id_token_signed_response_alg: pairs[0]?.algorithm,
        },
      ],
      ttl: { ClientCredentials: 600 },
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          defaultResource: () => AUDIENCE,
          getResourceServerInfo: () => ({
            scope: '',
            audience: AUDIENCE,
            accessTokenFormat: 'jwt',
            jwt: { sign: { alg: pairs[0]?.algorithm } },
          }),
        },
      },
    });
    server.answer(provider.callback());
  };
  rotate(pair);
  return {
    ...server,
    rotate,
    token: async () => {
      const answer = await fetch(`${server.url}/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString('base64')}` },
        body: new URLSearchParams({ grant_type: 'client_credentials' }),
      });
      const { access_token: token } = (await answer.json()) as { readonly access_token: string };
      return token;
    },
  };
}
