import { once } from 'node:events';
import { copyFileSync, readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { makeAuthority, tempDir, type TestCertificate, trustAuthority } from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Answer } from '../local-service.ts';
import { type Fleet, startFleet } from './fleet.ts';
import { BOUND_MS, type Ending, runRound } from './round.ts';
import { troubles } from './troubles.ts';

const directory = tempDir('qnsp-certificates-of-a-fleet-');
const authority = makeAuthority(directory.path, 'authority');
const clients = makeAuthority(directory.path, 'clients');
const revoked = join(directory.path, 'revoked.pem');
const agents: Agent[] = [];
let fleet: Fleet;

beforeAll(async () => {
  trustAuthority(authority);
  const server = authority.issue('kms');
  copyFileSync(clients.revocations(), revoked);
  fleet = await startFleet(3, {
    KMS_TLS_CERT_FILE: server.certificate,
    KMS_TLS_KEY_FILE: server.key,
    KMS_TLS_CLIENT_CA_FILE: clients.certificate,
    KMS_TLS_CRL_FILE: revoked,
  });
});
afterAll(async () => {
  for (const agent of agents) agent.destroy();
  await fleet.end();
  await directory.remove();
});

/** Sends JSON over connections that are kept, so that the certificate is shown once to each node. */
function by({ certificate, key }: TestCertificate, body: object) {
  const agent = new Agent({ keepAlive: true, cert: readFileSync(certificate), key: readFileSync(key) });
  agents.push(agent);
  return async (url: string): Promise<Pick<Answer, 'status' | 'body'>> => {
    const sent = request(url, { agent, method: 'POST', headers: { 'content-type': 'application/json' } });
    sent.end(JSON.stringify(body));
    try {
      // What the event carries.
      const [answer] = (await once(sent, 'response')) as [IncomingMessage];
      return { status: answer.statusCode ?? 0, body: JSON.parse(await text(answer)) as Answer['body'] };
    } catch (error) {
      // With a new list of revoked certificates, nodes close the connections of those that are on it.
      if (['ECONNRESET', 'EPIPE'].includes((error as NodeJS.ErrnoException).code ?? '')) return { status: 0, body: {} };
      throw error;
    }
  };
}

const BINDINGS = '/kms/v1/identity-bindings';

/** A way to end that a workload calls with its certificate. `end` gets what it is bound by, and the certificate. */
function endingOf(
  name: string,
  end: (bound: { readonly uri: string; readonly bindingId: string }, own: TestCertificate) => Promise<number>,
): Ending {
  return {
    name,
    statusAfter: 401,
    prepare: async () => {
      const workload = name.replaceAll(' ', '-');
      const uri = `spiffe://acme.example/${workload}`;
      const own = clients.issue(workload, { names: `URI:${uri}`, extensions: ['extendedKeyUsage=clientAuth'] });
      const binding = { issuer: 'mtls', match: { 'san.uri': uri }, role: 'key_user' };
      const { bindingId } = (await fleet.call(0, 'POST', BINDINGS, binding)).body;
      const body = { plaintext: 'AAAA' };
      return {
        path: `${await fleet.createKey()}/encrypt`,
        body,
        token: '',
        send: by(own, body),
        end: () => end({ uri, bindingId: String(bindingId) }, own),
      };
    },
  };
}

const ENDINGS: readonly Ending[] = [
  endingOf(
    'delete the binding',
    async ({ bindingId }) => (await fleet.call(0, 'DELETE', `${BINDINGS}/${bindingId}`)).status,
  ),
  endingOf(
    'deny the subject',
    async ({ uri }) => (await fleet.call(0, 'POST', `${BINDINGS}/deny`, { issuer: 'mtls', sub: uri })).status,
  ),
  endingOf('revoke the certificate', async (_bound, own) => {
    clients.revoke(own);
    copyFileSync(clients.revocations(), revoked);
    return 200;
  }),
];

describe('what ends the use of a certificate counts on every node', () => {
  const none = troubles().find(({ name }) => name === 'none');
  test.each(ENDINGS)(`$name: within ${BOUND_MS} ms, on connections that stay open`, async (ending) => {
    if (none === undefined) throw new Error('there is a round without trouble');
    const { lastSuccessMs } = await runRound(fleet, ending, none, BOUND_MS + 400);
    expect(lastSuccessMs).toHaveLength(3);
    for (const ms of lastSuccessMs) expect(ms).toBeLessThanOrEqual(BOUND_MS);
  });
});
