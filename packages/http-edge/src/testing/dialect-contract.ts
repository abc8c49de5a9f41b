import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type KmsErrorCode, KmsError, OPERATIONS } from '@qnsp/kms-core';
import type { AccessKeyCredentials } from '@qnsp/kms-core/internal';
import { type Contract, contractOf } from '@qnsp/kms-core/testing';
import type { Dialect } from '../dialect.ts';
import type { Dialects } from '../dialects.ts';
import { failureOf } from '../failure.ts';
import { type HttpServer, makeHttpServer } from '../http-server.ts';
import type { TlsSettings } from '../tls-settings.ts';
import { edgeUnderTest } from './edge-under-test.ts';
import { HTTP_LIMITS } from './http-limits.ts';
import { RAW_HOST, RawConnection } from './raw-call.ts';

/** Every code, as the compiler knows them. */
const CODES: Readonly<Record<KmsErrorCode, true>> = {
  BAD_REQUEST: true,
  UNAUTHORIZED: true,
  FORBIDDEN: true,
  TENANT_MISMATCH: true,
  QUOTA_EXCEEDED: true,
  NOT_FOUND: true,
  METHOD_NOT_ALLOWED: true,
  CONFLICT: true,
  APPROVAL_REQUIRED: true,
  KEY_STATE_INVALID: true,
  IDEMPOTENCY_MISMATCH: true,
  PAYLOAD_TOO_LARGE: true,
  UNSUPPORTED_MEDIA_TYPE: true,
  HEADERS_TOO_LARGE: true,
  DECRYPT_FAILED: true,
  KEY_USAGE_EXCEEDED: true,
  TOO_MANY_REQUESTS: true,
  INTERNAL_ERROR: true,
  HSM_UNAVAILABLE: true,
  STORE_UNAVAILABLE: true,
  AUDIT_UNAVAILABLE: true,
  SEALED: true,
};

/** What a server that stops may take to close its listener. */
const LIMIT_MS = 10_000;

const SECRET = Buffer.from('attack at dawn, and nobody may read this');

/** A call that takes so long is still in progress when a draining server closes what is out of use. */
const OUTLASTING_MS = 800;

/** A call that a credential is for. */
export interface CallToSign {
  readonly path: string;
  readonly host: string;
  readonly body: string;
  /** What signs in place of the token; absent for a token that is made up. */
  readonly accessKey: AccessKeyCredentials | undefined;
}

/** How a dialect says what every dialect has to be able to say. */
export interface DialectUnderTest {
  readonly dialect: Dialect;
  /** All dialects of the port; the one that is tried alone where they are not given. */
  readonly dialects?: Dialects;
  /** How the port speaks TLS, by an authority that the tests trust; in the clear without it. */
  readonly tls?: TlsSettings;
  /** Whether requests are read from their connections directly where they can be. */
  readonly socketFastPath?: boolean;
  /** A path of the dialect under which there is nothing. */
  readonly unknownPath: string;
  /** The path at which an encryption with a key is asked for by POST. */
  encryptPath(keyId: string): string;
  encryptBody(keyId: string, plaintext: Buffer): string;
  /** The headers by which a call presents a token. */
  credential(token: string, call: CallToSign): Readonly<Record<string, string>>;
  /** The headers that ask for an encryption, where the path alone does not; part of what `credential` answers. */
  readonly encryptHeaders?: Readonly<Record<string, string>>;
  /** How a call names a tenant that may be another than that of its credential. */
  naming(tenantId: string): Readonly<Record<string, string>>;
  /** The code of the KMS that an answer stands for, or all of them that it may stand for. */
  codeOf(status: number, body: string): string | readonly string[];
}

/** What every dialect over the edge must do. */
export function dialectContract(name: string, subject: DialectUnderTest): Contract {
  return contractOf(
    name,
    () => openPort(subject),
    ({ it }, opened) => {
      const wire = subject.dialect.name;

      it('does a call, with one event, one line and one mark, and tells the log no secret', async () => {
        const { under, encrypt } = opened();
        const { events, lines, observed } = forgetTraces(under);
        assert.equal((await encrypt(under.token)).status, 200);
        assert.deepEqual(
          events.map(({ eventType, result, action }) => ({ eventType, result, action })),
          [{ eventType: OPERATIONS.encrypt.event, result: 'success', action: 'encrypt' }],
        );
        assert.deepEqual(observed, [{ wire, operation: 'encrypt', status: 200 }]);
        assertOneLine(lines, wire);
        for (const text of [under.token, SECRET.toString(), SECRET.toString('base64')])
          assert.ok(!lines.join().includes(text), 'a secret is in the log');
      });

      for (const [which, { code, result, call }] of Object.entries(UNSUCCESSFUL))
        it(`leaves one event, one line and one mark of a call ${which}`, async () => {
          const { under, send } = opened();
          const { path, token, body } = await call(subject, under);
          const { events, lines, observed } = forgetTraces(under);
          const answer = await send(path, token, body);
          assertStandsFor(answer, code);
          assert.deepEqual(
            events.map((event) => ({ action: event.action, result: event.result })),
            [{ action: 'encrypt', result }],
          );
          assertOneLine(lines, wire);
          assert.ok(!lines.join().includes(SECRET.toString()), 'the plaintext is in the log');
          assert.deepEqual(observed, [{ wire, operation: 'encrypt', status: answer.status }]);
        });

      it('refuses malformed percent-encoding in a path, with one line', async () => {
        const { under, send } = opened();
        const paths = [
          ...['%', '%zz', '%c3', '%c3%28'].map((malformed) => subject.encryptPath(malformed)),
          ...['%', '%zz', '%c3%28'].flatMap((malformed) => [
            `${subject.unknownPath}${malformed}`,
            `${subject.encryptPath(under.keyId)}${malformed}`,
          ]),
          // A dialect may name the key in the body only.
        ].filter((path) => path.includes('%'));
        for (const path of paths) {
          const { lines } = forgetTraces(under);
          const answer = await send(path, under.token, subject.encryptBody(under.keyId, SECRET));
          assert.ok(answer.status >= 400 && answer.status < 500, `${path}: ${answer.status}`);
          const { codes } = answer;
          assert.ok(codes.includes('BAD_REQUEST') || codes.includes('NOT_FOUND'), `${path}: ${codes.join()}`);
          assert.equal(lines.length, 1, path);
        }
      });

      it('has nothing at an unknown path', async () => {
        const { under, send } = opened();
        assertStandsFor(await send(subject.unknownPath, under.token, '{}'), 'NOT_FOUND');
      });

      it('refuses a body that is no JSON', async () => {
        const { under, send } = opened();
        assertStandsFor(await send(subject.encryptPath(under.keyId), under.token, '{"attack'), 'BAD_REQUEST');
      });

      it('refuses calls without a credential, and with one that was never given or has expired', async () => {
        const { under, encrypt } = opened();
        const made = `qnsp_pqc_${'A'.repeat(43)}`;
        for (const token of [undefined, made, under.expiredToken])
          assertStandsFor(await encrypt(token), 'UNAUTHORIZED');
        const secrets = [made, under.expiredToken, under.accessKeyOf(under.expiredToken)?.secretAccessKey];
        for (const secret of secrets)
          assert.ok(secret !== undefined && !under.lines.join().includes(secret), 'a credential is in the log');
      });

      it('refuses a credential of another tenant than the call names', async () => {
        const { under, encrypt } = opened();
        assertStandsFor(await encrypt(under.token, subject.naming(under.otherTenantId)), 'TENANT_MISMATCH');
      });

      it('refuses a body that is larger than it may be', async () => {
        const { under, send } = opened();
        const body = Buffer.alloc(9 * 1024 * 1024, 0x20).toString();
        assertStandsFor(await send(subject.encryptPath(under.keyId), under.token, body), 'PAYLOAD_TOO_LARGE');
      });

      for (const framing of ['content-length', 'chunked'] as const)
        it(`takes a body that comes long after its head (${framing}), unless the credential ended meanwhile`, async () => {
          const { under, port, scheme } = opened();
          for (const ends of [false, true]) {
            const { token, revoke } = await under.issue('tenant_admin');
            const connection = new RawConnection(port, scheme);
            const { events, observed } = forgetTraces(under);
            const finish = await connection.begin({ ...encryption(subject, under, token), framing });
            if (ends) await revoke();
            const answer = await finish();
            connection.close();
            const [head = '', body = ''] = answer.split('\r\n\r\n');
            const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]);
            if (ends) assertStandsFor({ codes: codesOf(subject, status, body) }, 'UNAUTHORIZED');
            else assert.equal(status, 200);
            assert.deepEqual(
              events.map((event) => event.result === 'success'),
              [!ends],
            );
            assert.deepEqual(observed, [{ wire, operation: 'encrypt', status }]);
          }
        });

      it('has an answer for every error, which says nothing of an internal one', () => {
        for (const code of Object.keys(CODES) as KmsErrorCode[]) {
          const error = new KmsError(code, 'a message', { retryAfterSeconds: 1 });
          const { status, headers, body } = subject.dialect.problem(failureOf(error), { requestId: 'asked-1' });
          assert.ok(status >= 400, `${code}: ${status}`);
          assert.equal(headers['x-request-id'], 'asked-1');
          assertStandsFor({ codes: codesOf(subject, status, body) }, code);
          if (code === 'INTERNAL_ERROR') assert.ok(!body.includes('a message'), 'it tells what failed inside');
        }
      });

      it('says with an answer that its connection ends while it drains', async () => {
        const { under, listen, scheme } = opened();
        const draining = await listen();
        const connection = new RawConnection(draining.port, scheme);
        const call = encryption(subject, under, under.token);
        assert.doesNotMatch(await connection.ask(call), /connection: close/i);
        const stopped = draining.http.stop();
        await refusesConnections(draining.http);
        const last = await connection.ask(call);
        assert.match(last, /^HTTP\/1\.1 200 /);
        assert.match(last, /connection: close/i);
        await stopped;
        await assert.rejects(fetch(`${scheme}://127.0.0.1:${draining.port}${subject.unknownPath}`), /fetch failed/);
      });

      it('answers a call that is in progress when draining begins, and closes its connection', async () => {
        const { under, listen, scheme } = opened();
        const draining = await listen();
        const connection = new RawConnection(draining.port, scheme);
        const finish = await connection.begin(encryption(subject, under, under.token));
        const stopped = draining.http.stop();
        await refusesConnections(draining.http);
        await assert.rejects(fetch(`${scheme}://127.0.0.1:${draining.port}${subject.unknownPath}`), /fetch failed/);
        // Connections out of use are closed by then, and this one is not.
        await sleep(OUTLASTING_MS);
        assert.match(await finish(), /^HTTP\/1\.1 200 /);
        const answeredAt = performance.now();
        await connection.closed;
        // By the answer, not by what cuts what is left.
        assert.ok(performance.now() - answeredAt < HTTP_LIMITS.shutdownTimeoutMs / 2, 'its connection stays open');
        await stopped;
      });
    },
  );
}

type Under = Awaited<ReturnType<typeof edgeUnderTest>>;

/** A port on which the dialect is spoken, and what sends calls to it. */
async function openPort(subject: DialectUnderTest) {
  const scheme: 'http' | 'https' = subject.tls === undefined ? 'http' : 'https';
  const under = await edgeUnderTest();
  const listen = async () => {
    const { tls, socketFastPath, dialects = [subject.dialect] } = subject;
    const http = makeHttpServer(under.edge, dialects, { ...HTTP_LIMITS, tls, socketFastPath });
    http.server.listen(0, '127.0.0.1');
    await once(http.server, 'listening');
    return { http, port: (http.server.address() as AddressInfo).port };
  };
  const { http, port } = await listen();
  const send = async (path: string, token: string | undefined, body: string, headers = {}) => {
    const credential =
      token === undefined ? {} : signedBy(subject, under, token, { path, host: `127.0.0.1:${port}`, body });
    const response = await fetch(`${scheme}://127.0.0.1:${port}${path}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-request-id': 'asked-1',
        ...subject.encryptHeaders,
        ...credential,
        ...headers,
      },
      body,
    });
    assert.equal(response.headers.get('x-request-id'), 'asked-1');
    const text = await response.text();
    return { status: response.status, text, codes: response.ok ? [] : codesOf(subject, response.status, text) };
  };
  const encrypt = (token: string | undefined, headers = {}) =>
    send(subject.encryptPath(under.keyId), token, subject.encryptBody(under.keyId, SECRET), headers);
  return { under, scheme, port, listen, send, encrypt, close: () => http.stop() };
}

interface UnsentCall {
  readonly path: string;
  readonly token: string;
  readonly body: string;
}

/** The call that encrypts with the key that there is. */
function unsent(subject: DialectUnderTest, { keyId }: Under, token: string): UnsentCall {
  return { path: subject.encryptPath(keyId), token, body: subject.encryptBody(keyId, SECRET) };
}

/** The same, as a {@link RawConnection} sends it. */
function encryption(subject: DialectUnderTest, under: Under, token: string) {
  const { path, body } = unsent(subject, under, token);
  return { path, body, headers: signedBy(subject, under, token, { path, host: RAW_HOST, body }) };
}

function signedBy(
  subject: DialectUnderTest,
  under: Under,
  token: string,
  call: Omit<CallToSign, 'accessKey'>,
): Readonly<Record<string, string>> {
  return subject.credential(token, { ...call, accessKey: under.accessKeyOf(token) });
}

function codesOf(subject: DialectUnderTest, status: number, body: string): readonly string[] {
  return [subject.codeOf(status, body)].flat();
}

function assertStandsFor({ codes }: { readonly codes: readonly string[] }, code: KmsErrorCode): void {
  assert.ok(codes.includes(code), `${codes.join()} in place of ${code}`);
}

/** A call that comes to nothing, and what its event says of it. */
interface Unsuccessful {
  readonly code: KmsErrorCode;
  readonly result: 'denied' | 'failure';
  call(subject: DialectUnderTest, under: Under): Promise<UnsentCall>;
}

const UNSUCCESSFUL: Readonly<Record<string, Unsuccessful>> = {
  'that its credential does not permit': {
    code: 'FORBIDDEN',
    result: 'denied',
    call: async (subject, under) => unsent(subject, under, (await under.issue('auditor')).token),
  },
  'with bad input': {
    code: 'BAD_REQUEST',
    result: 'failure',
    call: async (subject, under) => ({ ...unsent(subject, under, under.token), body: '{"attack' }),
  },
  'with a key that there is not': {
    code: 'NOT_FOUND',
    result: 'failure',
    call: async (subject, under) => {
      const keyId = randomUUID();
      return {
        token: under.token,
        path: subject.encryptPath(keyId),
        body: subject.encryptBody(keyId, SECRET),
      };
    },
  },
  'with a credential that is known but ended': {
    code: 'UNAUTHORIZED',
    result: 'denied',
    call: async (subject, under) => {
      const { token, revoke } = await under.issue('tenant_admin');
      await revoke();
      return unsent(subject, under, token);
    },
  },
};

/** What the next calls leave behind. */
function forgetTraces({ events, lines, observed }: Under) {
  for (const list of [events, lines, observed]) list.length = 0;
  return { events, lines, observed };
}

function assertOneLine(lines: readonly string[], wire: string): void {
  assert.equal(lines.length, 1, lines.join('\n'));
  assert.ok(lines[0]?.includes(`"wire":"${wire}"`), `it names another wire: ${lines.join()}`);
}

/** Waits until a server that was told to stop takes no new connection. */
async function refusesConnections({ server }: HttpServer): Promise<void> {
  const until = performance.now() + LIMIT_MS;
  while (server.listening) {
    assert.ok(performance.now() < until, 'it still listens');
    await sleep(10);
  }
}
