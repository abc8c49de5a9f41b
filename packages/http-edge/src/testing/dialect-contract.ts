import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { type KmsErrorCode, KmsError, OPERATIONS } from '@qnsp/kms-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Dialect } from '../dialect.ts';
import type { Dialects } from '../dialects.ts';
import { failureOf } from '../failure.ts';
import { type HttpServer, makeHttpServer } from '../http-server.ts';
import { edgeUnderTest } from './edge-under-test.ts';

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

const LIMITS = {
  requestTimeoutMs: 10_000,
  headersTimeoutMs: 5000,
  maxConnections: 100,
  maxAnswerBytes: 64 * 1024 * 1024,
  drainDelayMs: 0,
  shutdownTimeoutMs: 5000,
};

/** How a dialect says what every dialect has to be able to say. */
export interface DialectUnderTest {
  readonly dialect: Dialect;
  /** All dialects of the port; the one that is tried alone where they are not given. */
  readonly dialects?: Dialects;
  /** A path of the dialect under which there is nothing. */
  readonly unknownPath: string;
  /** The path at which an encryption with a key is asked for by POST. */
  encryptPath(keyId: string): string;
  encryptBody(keyId: string, plaintext: Buffer): string;
  credential(token: string): Readonly<Record<string, string>>;
  /** How a call names a tenant that may be another than that of its credential. */
  naming(tenantId: string): Readonly<Record<string, string>>;
  /** The code of the KMS that an answer stands for. */
  codeOf(status: number, body: string): string;
}

/** What every dialect over the edge must do. */
export function dialectContract(name: string, subject: DialectUnderTest): void {
  describe(`the dialect ${name}`, () => {
    let under: Awaited<ReturnType<typeof edgeUnderTest>>;
    let http: HttpServer;
    let port: number;
    beforeAll(async () => {
      under = await edgeUnderTest();
      http = makeHttpServer(under.edge, subject.dialects ?? [subject.dialect], LIMITS);
      http.server.listen(0, '127.0.0.1');
      await once(http.server, 'listening');
      port = (http.server.address() as AddressInfo).port;
    });
    let stopped: Promise<void> | undefined;
    afterAll(() => stopped ?? http.stop());

    const send = async (path: string, headers: Readonly<Record<string, string>>, body: string) => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-request-id': 'asked-1', ...headers },
        body,
      });
      expect(response.headers.get('x-request-id')).toBe('asked-1');
      const text = await response.text();
      return { status: response.status, text, code: response.ok ? undefined : subject.codeOf(response.status, text) };
    };
    const secret = Buffer.from('attack at dawn, and nobody may read this');
    const encrypt = (headers: Readonly<Record<string, string>>) =>
      send(subject.encryptPath(under.keyId), headers, subject.encryptBody(under.keyId, secret));

    test('does a call, with one event, one line and one mark, and tells the log no secret', async () => {
      const { events, lines, observed, token } = under;
      for (const list of [events, lines, observed]) list.length = 0;
      expect((await encrypt(subject.credential(token))).status).toBe(200);
      expect(events).toEqual([
        expect.objectContaining({ eventType: OPERATIONS.encrypt.event, result: 'success', action: 'encrypt' }),
      ]);
      expect(observed).toEqual([{ wire: subject.dialect.name, operation: 'encrypt', status: 200 }]);
      expect(lines).toHaveLength(1);
      expect(lines[0]).toContain(`"wire":"${subject.dialect.name}"`);
      for (const text of [token, secret.toString(), secret.toString('base64')])
        expect(lines.join()).not.toContain(text);
    });

    test('has nothing at an unknown path', async () => {
      expect(await send(subject.unknownPath, subject.credential(under.token), '{}')).toMatchObject({
        code: 'NOT_FOUND',
      });
    });

    test('refuses a body that is no JSON', async () => {
      const sent = send(subject.encryptPath(under.keyId), subject.credential(under.token), '{"attack');
      expect(await sent).toMatchObject({ code: 'BAD_REQUEST' });
    });

    test('refuses calls without a credential, and with one that was never given or has expired', async () => {
      const made = `qnsp_pqc_${'A'.repeat(43)}`;
      for (const headers of [{}, subject.credential(made), subject.credential(under.expiredToken)])
        expect(await encrypt(headers)).toMatchObject({ code: 'UNAUTHORIZED' });
      for (const token of [made, under.expiredToken]) expect(under.lines.join()).not.toContain(token);
    });

    test('refuses a credential of another tenant than the call names', async () => {
      const headers = { ...subject.credential(under.token), ...subject.naming(under.otherTenantId) };
      expect(await encrypt(headers)).toMatchObject({ code: 'TENANT_MISMATCH' });
    });

    test('refuses a body that is larger than it may be', async () => {
      const body = Buffer.alloc(9 * 1024 * 1024, 0x20).toString();
      const sent = send(subject.encryptPath(under.keyId), subject.credential(under.token), body);
      expect(await sent).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    });

    test('takes a body that comes long after its head, and looks at the credential once more', async () => {
      const body = subject.encryptBody(under.keyId, secret);
      const fields = { host: 'kms', 'content-type': 'application/json', ...subject.credential(under.token) };
      const head = Object.entries({ ...fields, 'content-length': String(body.length), connection: 'close' });
      const socket = connect(port, '127.0.0.1');
      socket.write(
        `POST ${subject.encryptPath(under.keyId)} HTTP/1.1\r\n${head.map(([field, value]) => `${field}: ${value}\r\n`).join('')}\r\n`,
      );
      await new Promise((resolve) => setTimeout(resolve, 150));
      socket.write(body);
      const [answer] = (await once(socket, 'data')) as [Buffer];
      expect(answer.toString('latin1')).toMatch(/^HTTP\/1\.1 200 /);
      socket.destroy();
    });

    test('has an answer for every error, which says nothing of an internal one', () => {
      for (const code of Object.keys(CODES) as KmsErrorCode[]) {
        const error = new KmsError(code, 'a message', { retryAfterSeconds: 1 });
        const { status, headers, body } = subject.dialect.problem(failureOf(error), { requestId: 'asked-1' });
        expect(status, code).toBeGreaterThanOrEqual(400);
        expect(headers['x-request-id']).toBe('asked-1');
        expect(subject.codeOf(status, body)).toBe(code);
        if (code === 'INTERNAL_ERROR') expect(body).not.toContain('a message');
      }
    });

    test('says with an answer that its connection ends while it drains', async () => {
      const body = subject.encryptBody(under.keyId, secret);
      const fields = { host: 'kms', 'content-type': 'application/json', ...subject.credential(under.token) };
      const head = Object.entries({ ...fields, 'content-length': String(body.length) });
      const request = `POST ${subject.encryptPath(under.keyId)} HTTP/1.1\r\n${head.map(([field, value]) => `${field}: ${value}\r\n`).join('')}\r\n${body}`;
      const socket = connect(port, '127.0.0.1');
      const ask = async () => {
        socket.write(request);
        const [answer] = (await once(socket, 'data')) as [Buffer];
        return answer.toString('latin1');
      };
      expect(await ask()).not.toMatch(/connection: close/i);
      stopped = http.stop();
      await new Promise((resolve) => setTimeout(resolve, 50));
      const last = await ask();
      expect(last).toMatch(/^HTTP\/1\.1 200 /);
      expect(last).toMatch(/connection: close/i);
      await stopped;
      await expect(fetch(`http://127.0.0.1:${port}${subject.unknownPath}`)).rejects.toThrow('fetch failed');
    });
  });
}
